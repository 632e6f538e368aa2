"""Signing in, and whose things these are."""

from __future__ import annotations

from gateway.modes.cdn.call import Call
from gateway.modes.cdn.resources import accounts, signing_in
from gateway.web.api.fields import Field
from gateway.web.api.parameters import Parameter
from gateway.web.api.table import Function

_NAME = Parameter(
    "email",
    "The account’s email or name, or the id of a key.",
    least=1,
    most=1024,
    example="major@section9.example",
)
_ACCOUNT = (
    Field("id", "text", "The account’s number."),
    Field("username", "text", "What the gateway calls it."),
    Field("email", "text", "Its address; empty without one."),
    Field("name", "text", "What people call it."),
    Field("timezone", "text", "Of times in reports: always `UTC`."),
    Field("trial", "text", "Always `0`.", values=("0",)),
)
_SUBACCOUNT = (
    *_ACCOUNT,
    Field("parent_id", "text", "Always `0`: no account is another’s.", values=("0",)),
    Field("status", "text", "Always `active`.", values=("active",)),
    Field("create_ts", "text", "When it was made, a Unix timestamp; `0` of one that is declared."),
    Field("update_ts", "text", "The same."),
    Field("delete_ts", "text", "Always `0`.", values=("0",)),
    Field("suspended", "text", "Always `0`.", values=("0",)),
    Field("suspended_for_payment", "text", "Always `0`.", values=("0",)),
    Field("domain_base", "text", "The domain below which its zones have their names."),
    Field("max_zones", "text", "That it may have."),
    *(Field(one, "text", "Always null.", null=True) for one in accounts.UNKNOWN),
)

FUNCTIONS: tuple[Function[Call], ...] = (
    Function(
        "checkLogin",
        ("POST",),
        None,
        signing_in.check,
        "Sign in",
        "Whether these are an account’s credentials, and a token for all other calls: it is good"
        " for 12 hours, and ends with the key. Needs no token itself.",
        place="check/login",
        members=(
            _NAME,
            _NAME._replace(name="username", about="The same.", example=""),
            Parameter(
                "password",
                "The secret of a key of the account.",
                required=True,
                least=1,
                most=1024,
                example="secret",
            ),
        ),
        answer=(
            Field("authenticated", "boolean", "That they are."),
            Field("user_id", "integer", "The account’s number."),
            Field("reason", "text", "The same for people."),
            Field("token", "text", "For the header `X-UCDN-Token`, or the parameter `token`."),
        ),
        errors=("InvalidCredentials", "TooManyAttempts"),
        open=True,
    ),
    Function(
        "getAccount",
        ("GET",),
        None,
        accounts.get,
        "Your account",
        "The account that the token acts for.",
        place="account",
        answer=_ACCOUNT,
    ),
    Function(
        "listSubaccounts",
        ("GET",),
        None,
        accounts.get_all,
        "Subaccounts",
        "All accounts of this gateway, for a key that manages it; for any other the one that it"
        " acts for. No secrets.",
        place="subaccounts",
        answer=_SUBACCOUNT,
        many=True,
    ),
)
