"""Session keys out of a capture, for sessions whose keys Wireshark does not find by itself.

Those are the ones that exchange no key of their own: there the session key is
the key exchange key of [MS-NLMP] 3.4.5.1.
"""

import hashlib
import hmac

from Cryptodome.Hash import MD4

FIELDS = (
    "smb2.sesid",
    "ntlmssp.auth.username",
    "ntlmssp.auth.domain",
    "ntlmssp.negotiatekeyexch",
    "ntlmssp.ntlmv2_response.ntproofstr",
)


def hmac_md5(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.md5).digest()


def key_options(rows: list[list[str]], password: str) -> list[str]:
    """Arguments of tshark with the keys of the sessions in `rows`, the FIELDS of each AUTHENTICATE_MESSAGE."""
    options = []
    for session, user, domain, exchanges, proof in rows:
        if exchanges in ("1", "True") or not proof:
            continue
        domain = "" if domain == "NULL" else domain  # what Wireshark prints for an empty field
        nt_hash = MD4.new(password.encode("utf-16-le")).digest()
        response_key = hmac_md5(nt_hash, (user.upper() + domain).encode("utf-16-le"))
        key = hmac_md5(response_key, bytes.fromhex(proof))
        options += ["-o", f'uat:smb2_seskey_list:{int(session, 16).to_bytes(8, "little").hex()},{key.hex()},"",""']
    return options
