"""A key from the settings, as Haystack's components take one."""

from dataclasses import dataclass, field

from haystack.utils.auth import EnvVarSecret
from pydantic import SecretStr


@dataclass(frozen=True)
class SettingsSecret(EnvVarSecret):
    """A key that a pipeline's YAML names by a variable and never spells out.

    :param value: The key itself: put into the variable, it would overrule the settings of
        every workspace opened after this one.
    """

    value: SecretStr = field(kw_only=True)

    def resolve_value(self) -> str:
        """Return the key."""
        return self.value.get_secret_value()
