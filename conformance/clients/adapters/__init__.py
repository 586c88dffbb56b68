"""The clients by name. Each module has one `Adapter`."""

from importlib import import_module

MODULES = {
    "smbclient": "smbclient_program",
    "impacket": "impacket_library",
    "smbprotocol": "smbprotocol_library",
    "pysmb": "pysmb_library",
    "rclone": "rclone_program",
    "smb": "smb_crate",
    "smb2": "smb2_crate",
}


def adapter(name: str):
    """The class that drives the client `name`."""
    return import_module(f".{MODULES[name]}", __name__).Adapter
