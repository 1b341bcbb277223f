"""Conditions on memberships of other segments (contract, section 4.1)."""

from pydantic import Field

from rules.fields import Key
from rules.value_tests import Written


class MemberOf(Written):
    """The contact is a member of another segment."""

    member_of: Key = Field(
        description="The key of a segment; its policy and its group are taken into account."
    )


class NotMemberOf(Written):
    """The contact is no member of another segment."""

    not_member_of: Key = Field(
        description="The key of a segment; its policy and its group are taken into account."
    )
