"""A copy as robocopy /COPY:DATSO /DCOPY:DAT makes it: data, streams, EAs, attributes, times, owner, group and DACL,
handle by handle with backup intent, security before the data and times at the end."""

from smbclient import _io as handles
from smbprotocol.open import (
    CreateOptions,
    FilePipePrinterAccessMask as Access,
    SMB2QueryInfoRequest,
    SMB2QueryInfoResponse,
    SMB2SetInfoRequest,
)

FILE, SECURITY = 1, 3
BASIC, EA = 4, 15
OWNER_GROUP_DACL = 7
REPARSE_AND_BACKUP = CreateOptions.FILE_OPEN_REPARSE_POINT | CreateOptions.FILE_OPEN_FOR_BACKUP_INTENT
READ = Access.GENERIC_READ
WRITE = Access.GENERIC_WRITE | Access.READ_CONTROL | Access.WRITE_DAC | Access.WRITE_OWNER | Access.DELETE
MOST = 65536


def _send(file, request):
    tree = file.tree_connect
    sent = file.connection.send(request, sid=tree.session.session_id, tid=tree.tree_connect_id)
    return file.connection.receive(sent)


def query(file, kind: int, info_class: int = 0, parts: int = 0) -> bytes:
    """One QUERY_INFO; nothing if there is nothing, as for a file without EAs."""
    request = SMB2QueryInfoRequest()
    request["info_type"] = kind
    request["file_info_class"] = info_class
    request["additional_information"] = parts
    request["output_buffer_length"] = MOST
    request["file_id"] = file.file_id
    response = SMB2QueryInfoResponse()
    response.unpack(_send(file, request)["data"].get_value())
    return response["buffer"].get_value()


def change(file, kind: int, buffer: bytes, info_class: int = 0, parts: int = 0) -> None:
    """One SET_INFO."""
    request = SMB2SetInfoRequest()
    request["info_type"] = kind
    request["file_info_class"] = info_class
    request["additional_information"] = parts
    request["file_id"] = file.file_id
    request["buffer"] = buffer
    _send(file, request)


def _open(unc: str, directory: bool, access: int, mode: str, options: dict):
    kind = handles.SMBDirectoryIO if directory else handles.SMBFileIO
    return kind(
        unc, mode=mode, share_access="rwd", desired_access=access, create_options=REPARSE_AND_BACKUP, **options
    )


def copy(source: str, target: str, directory: bool, streams: list[str], eas: list, options: dict, set_ea) -> None:
    """Copies one file or directory with its streams. `set_ea` writes one extended attribute to `target`."""
    with _open(source, directory, READ, "r", options) as old:
        basic = query(old.fd, FILE, BASIC)
        security = query(old.fd, SECURITY, parts=OWNER_GROUP_DACL)
        data = b"" if directory else _read(old)
    with _open(target, directory, WRITE, "x", options) as new:
        change(new.fd, SECURITY, security, parts=OWNER_GROUP_DACL)
        if data:
            new.write(data)
        for name in streams:
            with _open(source + name, False, READ, "r", options) as stream:
                content = _read(stream)
            with _open(target + name, False, Access.GENERIC_WRITE, "w", options) as stream:
                stream.write(content)
        for name, value in eas:
            set_ea(name, value)
        # ChangeTime is the server's own; 0 leaves it alone ([MS-FSCC] 2.4.7)
        change(new.fd, FILE, basic[:24] + bytes(8) + basic[32:40], info_class=BASIC)


def _read(file) -> bytes:
    parts = []
    while part := file.read(MOST):
        parts.append(part)
    return b"".join(parts)
