from agent.router.policy import Policy

COSTS = {"retrieval": 1.0, "expert": 1.0, "hybrid": 2.0, "abstain": 0.0}


def test_the_likeliest_route_is_taken_where_costs_do_not_matter():
    route, lead = Policy(COSTS, 0.0).choose({"retrieval": 0.4, "expert": 0.7, "abstain": 0.1})
    assert route == "expert"
    assert round(lead, 6) == 0.3


def test_a_cost_outweighs_a_small_lead():
    told = {"retrieval": 0.60, "hybrid": 0.65}
    assert Policy(COSTS, 0.0).choose(told)[0] == "hybrid"
    assert Policy(COSTS, 0.1).choose(told)[0] == "retrieval"


def test_on_a_tie_the_cheaper_route_is_taken():
    assert Policy(COSTS, 0.0).choose({"hybrid": 0.5, "abstain": 0.5})[0] == "abstain"


def test_one_route_alone_is_taken_for_sure():
    assert Policy(COSTS).choose({"abstain": 0.2}) == ("abstain", 1.0)
