import json

import numpy as np

from agent.router.calibration import Logistic, fit_logistic, fit_temperature

CHANCE = np.random.default_rng(0)


def test_a_logistic_regression_finds_the_odds_that_made_the_data():
    values = CHANCE.normal(size=(20_000, 2))
    odds = 1.5 * values[:, 0] - 0.5 * values[:, 1] - 1.0
    positive = CHANCE.random(20_000) < 1 / (1 + np.exp(-odds))
    found = fit_logistic(values, positive)
    assert np.abs(found.logit(values) - odds).mean() < 0.08


def test_a_share_sets_how_often_it_is_so():
    values = CHANCE.normal(size=(5_000, 1))
    positive = CHANCE.random(5_000) < 0.5
    told = fit_logistic(values, positive, share=0.1).probability(values)
    assert abs(float(told.mean()) - 0.1) < 0.01


def test_what_tells_the_classes_apart_wholly_is_held_back_by_the_penalty():
    values = np.array([[-1.0], [-0.9], [0.9], [1.0]])
    found = fit_logistic(values, np.array([0, 0, 1, 1]))
    assert np.isfinite(found.weights[0])
    assert found.probability(values).round().tolist() == [0, 0, 1, 1]


def test_it_comes_back_from_json_as_it_was():
    found = fit_logistic(CHANCE.normal(size=(50, 3)), CHANCE.random(50) < 0.5)
    assert Logistic.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_logits_that_are_too_sure_are_cooled():
    wanted = CHANCE.integers(0, 3, size=4_000)
    logits = CHANCE.normal(size=(4_000, 3))
    logits[np.arange(4_000), wanted] += 1.0
    right = fit_temperature(logits, wanted)
    assert abs(fit_temperature(logits * 4, wanted) / right - 4) < 0.2
