"""Files of an account, and who brings them by FTP."""

from __future__ import annotations

from gateway.modes.cdn.areas.numbers import number
from gateway.modes.cdn.call import Call
from gateway.modes.cdn.resources import storages
from gateway.modes.storages import REGIONS
from gateway.web.api.fields import Field
from gateway.web.api.parameters import Parameter
from gateway.web.api.table import Function

_ID = number("Of the storage.")
_REGION = Parameter(
    "region",
    "A word that storages are told apart by; all of them are in this gateway.",
    required=True,
    values=REGIONS,
    example="north-america",
)
_DONE = Field("message", "text", "That it is done.")
_STORAGE = (
    Field("id", "integer", "Its number, never another’s."),
    Field("container", "text", "Its name, by which all other interfaces know it as a bucket."),
    Field("ftp_host", "text", "Where FTP is, with a port that is not 21.", null=True),
    Field("ftp_user", "text", "Who brings files: `/` is the storage."),
    Field("ftp_password", "text", "Null where the key was switched off.", null=True),
    Field("region", "text", "As it was made.", values=_REGION.values),
    Field("synchronized_with_storage", "text", "Always null: none is a copy here.", null=True),
)

FUNCTIONS: tuple[Function[Call], ...] = (
    Function(
        "createStorage",
        ("POST",),
        None,
        storages.create,
        "Create a storage",
        "An empty one, with a user of its own for FTP. It is a bucket of the account for all other"
        " interfaces, and a zone may have it as its origin.",
        place="storage",
        members=(
            Parameter(
                "name",
                "3 to 63 of a-z, 0-9, dot and hyphen, as a bucket’s; no other service has it.",
                required=True,
                least=3,
                most=63,
                example="level-4-logs",
            ),
            _REGION,
        ),
        answer=(_DONE, Field("id", "integer", "Of the storage.")),
        errors=("Conflict", "NoSpace"),
    ),
    Function(
        "listStorages",
        ("GET",),
        None,
        storages.list_all,
        "Storages",
        "All of the account, the newest first.",
        place="storages",
        answer=_STORAGE,
        many=True,
    ),
    Function(
        "patchStorages",
        ("PATCH",),
        None,
        storages.patch_all,
        "Change the password of a region",
        "One new password for all the account’s storages there. Who has the one before is refused"
        " from now on.",
        place="storages",
        members=(
            _REGION,
            Parameter(
                "action",
                "What is to be done.",
                required=True,
                values=("change_ftp_password",),
                example="change_ftp_password",
            ),
        ),
        answer=(Field("new_ftp_password", "text", "Of all of them."),),
        errors=("NotFound",),
    ),
    Function(
        "getStorage",
        ("GET",),
        None,
        storages.get,
        "One storage",
        "Its name, and who brings files.",
        place="storage/{id}",
        parts=(_ID,),
        answer=_STORAGE,
    ),
    Function(
        "getStorageSize",
        ("GET",),
        None,
        storages.size,
        "How much is in it",
        "As it is now, exactly.",
        place="storage/{id}/size",
        parts=(_ID,),
        answer=(
            Field("bytes", "integer", "Of all files."),
            Field("objects", "integer", "Files, and folders that were made as such."),
        ),
        errors=("NotAvailable",),
    ),
    Function(
        "deleteStorage",
        ("DELETE",),
        None,
        storages.delete,
        "Remove a storage",
        "With its user. It has to be empty, and no zone’s origin.",
        place="storage/{id}",
        parts=(_ID,),
        answer=(_DONE,),
        errors=("Conflict",),
    ),
)
