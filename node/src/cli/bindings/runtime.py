from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from typing import Any, List, Optional, Protocol, Tuple


# The node refused, or a call failed. `code` and `name` are those of `hanse help errors`; `detail` has a contract's own error.
class RpcError(Exception):
    def __init__(self, error: Any) -> None:
        super().__init__(error["message"])
        data = error.get("data") or {}
        self.code: int = error["code"]
        self.name: str = data.get("name", "")
        self.hint: str = data.get("hint", "")
        self.detail: Any = data.get("detail")
        self.tx: Optional[str] = data.get("tx")


# A call ran, is in the chain, and failed: it changed nothing. `receipt` says how.
class CallFailed(Exception):
    def __init__(self, receipt: Any) -> None:
        super().__init__(receipt["failure"]["text"])
        self.receipt = receipt
        self.error: Optional[str] = receipt["failure"].get("error")


# Whoever signs: a key in memory, or a device.
class Signer(Protocol):
    # The account's address, 0x and 40 digits.
    address: str
    # "ed25519" or "secp256k1".
    algorithm: str
    # 32 or 33 bytes.
    public_key: bytes

    # Signs bytes: 64 bytes.
    def sign(self, message: bytes) -> bytes: ...


# A value as the node's JSON: integers as decimal texts, bytes in hexadecimal.
def plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (bytes, bytearray)):
        return "0x" + bytes(value).hex()
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    return value.plain()


# A value of one of the contract's own types; of an enum, as it is.
def named(ty: Any, value: Any) -> Any:
    return ty.of(value) if hasattr(ty, "of") else value


# What every contract's client does.
class Contract:
    def __init__(self, url: str, contract: str) -> None:
        self.url = url
        self.contract = contract

    # Calls a method of the node.
    def rpc(self, method: str, params: Any) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self.url, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request) as response:
            answer = json.load(response)
        if "error" in answer:
            raise RpcError(answer["error"])
        return answer["result"]

    # What a view answers, as JSON.
    def query(self, method: str, args: Any, caller: Optional[str] = None) -> Any:
        params = {"contract": self.contract, "method": method, "args": args}
        if caller is not None:
            params["caller"] = caller
        return self.rpc("contract_query", params)["result"]

    # The unsigned transaction of a call: its bytes, the bytes to sign, its id.
    def build(self, sender: str, method: str, args: Any) -> Any:
        return self.rpc("contract_call", {"sender": sender, "contract": self.contract, "method": method, "args": args})

    # Sends what was built and signed, and waits for its receipt.
    def submit(self, built: Any, algorithm: str, public_key: bytes, signature: bytes) -> Any:
        key = bytes([["ed25519", "secp256k1"].index(algorithm)]) + public_key
        signed = bytes.fromhex(built["unsigned"][2:]) + key + signature
        receipt = self.rpc("tx_submit", {"transaction": "0x" + signed.hex()})["receipt"]
        if receipt.get("failure"):
            raise CallFailed(receipt)
        return receipt

    # Builds, signs and sends a call. The receipt of one that succeeded.
    def send(self, signer: Signer, method: str, args: Any) -> Any:
        built = self.build(signer.address, method, args)
        signature = signer.sign(bytes.fromhex(built["sign_bytes"][2:]))
        return self.submit(built, signer.algorithm, signer.public_key, signature)
