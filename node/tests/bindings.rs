//! Clients that `hanse contract bindings` makes: those in Python and TypeScript call a real node; those in Rust are the ones
//! that `bound.rs` calls one with.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::process::{Command, Output};

use common::{Node, module, token_module};
use serde_json::{Value, json};

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn bindings(folder: &Path, contract: &str, lang: &str) -> String {
    let output = common::hanse(folder, &["contract", "bindings", contract, "--lang", lang]);
    assert!(output.status.success(), "{}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// A node with a token and an escrow, and what both are made of.
fn world(folder: &Path) -> (Node, Vec<(&'static str, String)>) {
    let node = Node::start(folder);
    node.run(&["contract", "deploy", "token", "--wasm", token_module(), "--supply", "1_000"]);
    node.run(&["contract", "deploy", "escrow", "--wasm", &module("escrow")]);
    node.run(&["contract", "deploy", "assets", "--wasm", &module("assets")]);
    (node, vec![("token", token_module().to_owned()), ("escrow", module("escrow")), ("assets", module("assets"))])
}

/// The variable that writes the clients in Rust anew, which are parts of another test.
const WRITE: &str = "HANSE_WRITE_BINDINGS";

#[test]
fn the_clients_in_rust_are_what_is_made_today() {
    for name in ["token", "escrow", "assets"] {
        let made = bindings(Path::new("."), &module(name), "rust");
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/bindings/{name}.rs"));
        if std::env::var_os(WRITE).is_some() {
            std::fs::write(&file, &made).unwrap();
        }
        let known = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(known == made, "{} is another one: {WRITE}=1 cargo test --release --test bindings", file.display());
    }
}

/// Runs a program of another language's, if it is installed; a message says that it is not.
fn installed(program: &str, arguments: &[&str]) -> bool {
    let found = Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("skipped: {program} {arguments:?} does not run here");
    }
    found
}

#[test]
fn a_client_in_python_asks_builds_and_sends() {
    let chain = tempfile::tempdir().unwrap();
    let (node, modules) = world(chain.path());
    for (name, wasm) in &modules {
        std::fs::write(chain.path().join(format!("{name}_client.py")), bindings(chain.path(), wasm, "python")).unwrap();
    }
    if !installed("python3", &["-c", "import sys; sys.exit(sys.version_info < (3, 9))"]) {
        return;
    }
    std::fs::write(chain.path().join("main.py"), PYTHON).unwrap();
    let alice = node.started["accounts"][0]["address"].as_str().unwrap();
    let bob = node.started["accounts"][1]["address"].as_str().unwrap();
    let mut python = Command::new("python3");
    let output = python.current_dir(chain.path()).args(["main.py", &node.url, alice, bob]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(text(&output).lines().last(), Some("done"));
    node.stop();
}

/// What an application writes beside the generated file: its signer. RFC 8032, as Python's own library has no ed25519.
const PYTHON: &str = r#"
import hashlib, sys
from assets_client import AssetsClient
from escrow_client import Deal, EscrowClient
from token_client import CallFailed, RpcError, TokenClient

P, Q = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P

def add(a, b):
    x = (a[1] - a[0]) * (b[1] - b[0]) % P
    y = (a[1] + a[0]) * (b[1] + b[0]) % P
    z, t = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = y - x, t - z, t + z, y + x
    return (e * f % P, g * h % P, f * g % P, e * h % P)

def times(n, a):
    out = (0, 1, 1, 0)
    while n:
        out, a, n = (add(out, a) if n & 1 else out), add(a, a), n >> 1
    return out

def base():
    y = 4 * pow(5, P - 2, P) % P
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P)
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    x = P - x if x & 1 else x
    return (x, y, 1, x * y % P)

def packed(a):
    z = pow(a[2], P - 2, P)
    return (a[1] * z % P | (a[0] * z % P & 1) << 255).to_bytes(32, "little")

class Alice:
    algorithm = "ed25519"

    def __init__(self, address):
        self.address = address
        digest = hashlib.sha512(b"hanse development alice".ljust(32)).digest()
        self.scalar = int.from_bytes(digest[:32], "little") & (1 << 254) - 8 | 1 << 254
        self.prefix = digest[32:]
        self.public_key = packed(times(self.scalar, base()))

    def sign(self, message):
        number = lambda *parts: int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % Q
        r = number(self.prefix, message)
        point = packed(times(r, base()))
        s = (r + number(point, self.public_key, message) * self.scalar) % Q
        return point + s.to_bytes(32, "little")

url, address, bob = sys.argv[1:]
alice = Alice(address)
token = TokenClient(url)
assert token.balance_of(alice.address) == 1000 and token.balance_of(bob, caller=bob) == 0
receipt = token.transfer(alice, bob, 30)
assert receipt["status"] == "success" and token.balance_of(bob) == 30
try:
    token.transfer(alice, bob, 10**30)
    raise SystemExit("it should have been refused")
except CallFailed as failed:
    assert failed.error == "TooLittle", failed
    assert TokenClient.ERRORS[failed.receipt["failure"]["error_code"]] == "TooLittle"
try:
    token.query("no_such_method", {})
    raise SystemExit("there is no such method")
except RpcError as error:
    assert error.name == "bad_argument", error.name

escrow = EscrowClient(url)
assert escrow.deal(bob, 1) is None
deal = Deal(seller=bob, token=bob, amount=5, until_ms=2**63)
assert Deal.of(deal.plain()) == deal
assets = AssetsClient(url)
assets.register(alice, "crate-7", "Riga")
asset = assets.find("crate-7")
assert (asset.owner, asset.state, asset.steps) == (alice.address, "Registered", 1), asset
assert len(assets.history("crate-7", 0, 10)) == 1
print("done")
"#;

#[test]
fn a_client_in_typescript_runs_where_node_reads_types() {
    let chain = tempfile::tempdir().unwrap();
    let (node, modules) = world(chain.path());
    for (name, wasm) in &modules {
        let source = bindings(chain.path(), wasm, "ts");
        assert_eq!(source.matches('{').count(), source.matches('}').count());
        std::fs::write(chain.path().join(format!("{name}.ts")), source).unwrap();
    }
    let token = std::fs::read_to_string(chain.path().join("token.ts")).unwrap();
    assert!(token.contains("async balanceOf(owner: Address, caller?: Address): Promise<bigint> {"), "{token}");
    assert!(token.contains("async transfer(signer: Signer, to: Address, amount: bigint): Promise<any> {"), "{token}");
    let assets = std::fs::read_to_string(chain.path().join("assets.ts")).unwrap();
    assert!(assets.contains("Promise<(Asset | null)>") && assets.contains("  steps: bigint;"), "{assets}");

    // A runtime that strips types by itself, without flags: Node.js from 22.18 on.
    std::fs::write(chain.path().join("probe.mts"), "const ready: boolean = true;\n").unwrap();
    if !installed("node", &[chain.path().join("probe.mts").to_str().unwrap()]) {
        return;
    }
    std::fs::write(chain.path().join("main.mts"), TYPESCRIPT).unwrap();
    let alice = node.started["accounts"][0]["address"].as_str().unwrap();
    let bob = node.started["accounts"][1]["address"].as_str().unwrap();
    let program = chain.path().join("main.mts");
    let output = Command::new("node").arg(program).args([&node.url, alice, bob]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).lines().any(|line| line == "done"), "{}", text(&output));
    node.stop();
}

const TYPESCRIPT: &str = r#"
import { createPrivateKey, createPublicKey, sign } from "node:crypto";
import { AssetsClient } from "./assets.ts";
import { CallFailed, TokenClient } from "./token.ts";

const [url, address, bob] = process.argv.slice(2);
const seed = Buffer.from("hanse development alice".padEnd(32));
const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
const publicKey = createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-32);
const alice = { address, algorithm: "ed25519" as const, publicKey, sign: (message: Uint8Array) => sign(null, message, key) };

const token = new TokenClient(url);
await token.transfer(alice, bob, 30n);
if ((await token.balanceOf(bob)) !== 30n) throw new Error("bob has something else");
const failed = await token.transfer(alice, bob, 10n ** 30n).catch((error: unknown) => error);
if (!(failed instanceof CallFailed) || failed.error !== "TooLittle") throw failed;
const assets = new AssetsClient(url);
await assets.register(alice, "crate-7", "Riga");
const asset = await assets.find("crate-7");
if (asset?.owner !== address || asset.state !== "Registered" || asset.steps !== 1n) throw new Error("another asset");
console.log("done");
"#;

#[test]
fn what_is_no_contract_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |contract: &str, lang: &str| {
        let output = common::hanse(folder.path(), &["contract", "bindings", contract, "--lang", lang]);
        assert!(!output.status.success());
        (output.status.code().unwrap(), text(&output))
    };
    std::fs::write(folder.path().join("empty.wasm"), b"\0asm\x01\0\0\0").unwrap();
    assert!(refused("empty.wasm", "rust").1.contains("has no ABI document"));
    std::fs::write(folder.path().join("text.json"), "[").unwrap();
    assert_eq!(refused("text.json", "python").0, 2);
    let evil = json!({ "methods": [{ "name": "a() {} fn b" }] });
    std::fs::write(folder.path().join("evil.json"), evil.to_string()).unwrap();
    assert!(refused("evil.json", "ts").1.contains("can be written in code"));
    assert_eq!(refused("empty.wasm", "cobol").0, 2);
    let known: Value =
        json!({ "name": "Counter", "methods": [{ "name": "add", "args": [{ "name": "by", "type": "u64" }] }] });
    std::fs::write(folder.path().join("counter.json"), known.to_string()).unwrap();
    assert!(bindings(folder.path(), "counter.json", "rust").contains("pub struct CounterClient"));
}
