"""The configuration: `gateway.toml` and the command line → `Configuration`.

Start with `tables.py` (every option and its default), then `decode.py` (how TOML becomes
those), `load.py`, and `configuration.py` (what comes of it). Specification: configuration.
"""

from gateway.common.ids import ID, ID_RULE
from gateway.config.configuration import Configuration, Declared, Origin
from gateway.config.links import in_order
from gateway.config.load import find_data, find_file, load, load_again, usual_file
from gateway.config.problems import ConfigProblem, ConfigurationError
from gateway.config.services import SOURCE, ServiceReader, construct
from gateway.config.tables import (
    EVERY_ACCOUNT,
    AcmeOptions,
    Binding,
    BindingOptions,
    CatalogOptions,
    Key,
    KmsOptions,
    Listener,
    LogOptions,
    ManagementKey,
    ReportOptions,
    ServerOptions,
    Tls,
    VolumeOptions,
    WebhookOptions,
)
from gateway.config.texts import SID, SID_RULE, Address, CertifiedName, EncryptionKeyName

__all__ = [
    "EVERY_ACCOUNT",
    "ID",
    "ID_RULE",
    "SID",
    "SID_RULE",
    "SOURCE",
    "AcmeOptions",
    "Address",
    "Binding",
    "BindingOptions",
    "CatalogOptions",
    "CertifiedName",
    "ConfigProblem",
    "Configuration",
    "ConfigurationError",
    "Declared",
    "EncryptionKeyName",
    "Key",
    "KmsOptions",
    "Listener",
    "LogOptions",
    "ManagementKey",
    "Origin",
    "ReportOptions",
    "ServerOptions",
    "ServiceReader",
    "Tls",
    "VolumeOptions",
    "WebhookOptions",
    "construct",
    "find_data",
    "find_file",
    "in_order",
    "load",
    "load_again",
    "usual_file",
]
