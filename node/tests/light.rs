//! `hanse light` before real nodes: it follows, answers what it has proven, leaves those who lie, and stops at a fork.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes as Body;
use axum::extract::State;
use common::Node;
use common::consortium::{Consortium, payment, treasury, until_connected};
use hanse_client::methods::{
    BlockAt, CertificateParams, GetCertificate, GetHandovers, GetReceipt, GetState, HandoversParams, NoParams,
    ReceiptParams, StateParams, Wait,
};
use hanse_client::{Bytes, Call, ChainContext, Client, codes};
use hanse_light::{GetLightStatus, LightStatus, Standing};
use hanse_types::crypto::{SecretKey, Signer};
use hanse_types::genesis::{ConsensusKind, CryptoSuite, Validator};
use hanse_types::{
    Address, Canonical, Certificate, Epoch, Gas, Genesis, Hash, Header, Height, Params, Round, StateCommitment,
    Timestamp, ValidatorSet,
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

/// A running `hanse light start`.
struct LightNode {
    process: Child,
    url: String,
    started: Value,
}

impl LightNode {
    fn command(genesis: &Path, file: &Path, nodes: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hanse"));
        command.args(["--json", "light", "start", "--listen", "127.0.0.1:0", "--genesis"]).arg(genesis);
        command.arg("--file").arg(file).args(nodes.iter().flat_map(|node| ["--node", *node]));
        command
    }

    fn start(genesis: &Path, file: &Path, nodes: &[&str]) -> LightNode {
        let process = LightNode::command(genesis, file, nodes).stdout(Stdio::piped()).spawn().unwrap();
        LightNode::ready(process, |line| serde_json::from_str(line).expect("a line of JSON when it listens"))
    }

    /// One that has said that it listens.
    fn ready(mut process: Child, read: impl Fn(&str) -> Value) -> LightNode {
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let started = read(&line);
        LightNode { process, url: started["url"].as_str().unwrap().into(), started }
    }

    fn client(&self) -> Client {
        Client::new(&self.url).unwrap()
    }

    /// Its status, once it is as wanted.
    async fn status(&self, wanted: impl Fn(&LightStatus) -> bool) -> LightStatus {
        let (client, deadline) = (self.client(), Instant::now() + PATIENCE);
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        loop {
            tick.tick().await;
            let status = client.call::<GetLightStatus>(NoParams {}).await.unwrap();
            if wanted(&status) {
                return status;
            }
            assert!(Instant::now() < deadline, "{status:?}");
        }
    }

    async fn reaches(&self, height: u64) -> LightStatus {
        self.status(|status| status.height >= Height(height)).await
    }
}

impl Drop for LightNode {
    fn drop(&mut self) {
        // As a crash does.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What a liar makes of the answer to a method.
type Lie = Box<dyn Fn(&str, &Value, &mut Value) + Send>;

struct Liar {
    url: String,
    lie: Arc<Mutex<Lie>>,
}

struct Between {
    node: String,
    http: reqwest::Client,
    lie: Arc<Mutex<Lie>>,
}

impl Liar {
    /// Between a light node and a full one.
    async fn before(node: &str) -> Liar {
        let lie: Arc<Mutex<Lie>> = Arc::new(Mutex::new(Box::new(|_, _, _| {})));
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let between = Arc::new(Between { node: node.into(), http, lie: lie.clone() });
        Liar { url: serve(Router::new().fallback(pass).with_state(between)).await, lie }
    }

    fn tells(&self, lie: impl Fn(&str, &Value, &mut Value) + Send + 'static) {
        *self.lie.lock().unwrap() = Box::new(lie);
    }
}

async fn pass(State(between): State<Arc<Between>>, body: Body) -> String {
    let request: Value = serde_json::from_slice(&body).unwrap();
    let Ok(answer) = between.http.post(&between.node).body(body).send().await else { return String::new() };
    let mut answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    if let Some(result) = answer.get_mut("result") {
        (between.lie.lock().unwrap())(request["method"].as_str().unwrap(), &request["params"], result);
    }
    answer.to_string()
}

async fn serve(routes: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

fn pay(node: &Node, amount: &str) -> Value {
    node.run(&["contract", "call", "account", "transfer", "bob", amount])
}

fn bob(node: &Node) -> Address {
    node.started["accounts"][1]["address"].as_str().unwrap().parse().unwrap()
}

fn balance_of(owner: &Address) -> StateParams {
    let key = [&hanse_abi::keys::field_prefix("balances")[..], &owner.0].concat();
    StateParams { contract: Address::native(1).into(), key: Bytes(key), height: None, proof: false }
}

fn number(value: &Option<Bytes>) -> u128 {
    u128::from_le_bytes(value.as_ref().unwrap().0[..].try_into().unwrap())
}

/// Turns one digit of hexadecimal text.
fn spoil(value: &mut Value, at: usize) {
    let mut text = value.as_str().unwrap().to_owned();
    let digit = if &text[at..=at] == "0" { "1" } else { "0" };
    text.replace_range(at..=at, digit);
    *value = Value::String(text);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_follows_reads_and_sends_and_goes_on_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start_with(folder.path(), &["--commitment", "merkle"]);
    let receipts = [pay(&node, "30"), pay(&node, "12"), pay(&node, "1")];
    let (genesis, file) = (folder.path().join("genesis.json"), folder.path().join("light.json"));
    let light = LightNode::start(&genesis, &file, &[&node.url, "http://127.0.0.1:1"]);
    // A node's standing is noted after what was learned of it.
    let good = |status: &LightStatus| matches!(status.nodes[0].standing, Standing::Good { height: Height(3) });
    let status = light.status(good).await;
    light.status(|status| matches!(status.nodes[1].standing, Standing::Away { .. })).await;
    let client = light.client();
    assert_eq!(number(&client.call::<GetState>(balance_of(&bob(&node))).await.unwrap().value) % 1_000, 43);
    let absent = client.call::<GetState>(balance_of(&Address([9; 20]))).await.unwrap();
    assert!(absent.value.is_none() && absent.proof.is_some());
    for receipt in &receipts {
        let tx_id = receipt["tx_id"].as_str().unwrap().parse().unwrap();
        let answer = client.call::<GetReceipt>(ReceiptParams { tx_id, proof: true, timeout_ms: 0 }).await.unwrap();
        assert_eq!(json!(answer.receipt.height), receipt["height"]);
        let known = CertificateParams { at: BlockAt::Height(answer.receipt.height) };
        let certified = client.call::<GetCertificate>(known).await.unwrap();
        assert_eq!(Header::decode(&certified.header.0).unwrap().height, answer.receipt.height);
    }
    let named = StateParams { contract: "account".parse().unwrap(), ..balance_of(&bob(&node)) };
    assert!(client.call::<GetState>(named).await.unwrap_err().is(codes::BAD_ARGUMENT));

    // A transaction of one's own: in a block, and proven to be.
    let info = client.chain_info().await.unwrap();
    assert_eq!((info.height, info.genesis_hash), (Height(3), status.genesis_hash));
    let context = ChainContext::from(&info);
    let args = borsh::to_vec(&(bob(&node), 7u128)).unwrap();
    let call = Call::new(Address::native(1).into(), "transfer", args);
    let signed = call.sign(&context, &alice()).unwrap();
    let sent = client.send(&signed, Wait::Committed, PATIENCE).await.unwrap();
    let receipt = sent.receipt.unwrap();
    assert_eq!((receipt.height, receipt.outcome.failure), (Height(4), None));
    assert_eq!(number(&client.call::<GetState>(balance_of(&bob(&node))).await.unwrap().value) % 1_000, 50);

    light.reaches(4).await;
    // The command line takes it for a node.
    let id = receipt.tx_id.to_string();
    let proof = ["--rpc", &light.url, "tx", "proof", &id, "--of", "receipt", "--genesis", "genesis.json", "--json"];
    let output = common::hanse(folder.path(), &proof);
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&shown["height"], &shown["trusted"]), (&json!(4), &json!("validators")), "{output:?}");
    drop(light);
    pay(&node, "5");
    let light = LightNode::start(&genesis, &file, &[&node.url]);
    assert!(light.started["height"].as_u64().unwrap() >= 3, "{:?}", light.started);
    light.reaches(5).await;
    let output = common::hanse(folder.path(), &["--json", "light", "status", "--light", &light.url]);
    let status: LightStatus = serde_json::from_slice(&output.stdout).unwrap();
    let figures = status.figures;
    eprintln!("{} bytes and {} µs a header", figures.bytes / figures.headers, figures.check_us / figures.headers);
    assert_eq!((status.height, status.fork), (Height(5), None));
    drop(light);
    node.stop();
}

/// The key of the development account, which is everyone's.
fn alice() -> SecretKey {
    let mut seed = [b' '; 32];
    seed[..23].copy_from_slice(b"hanse development alice");
    SecretKey::ed25519(seed)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lies_is_left_for_another() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start_with(folder.path(), &["--commitment", "merkle", "--validators", "4"]);
    pay(&node, "30");
    let genesis = folder.path().join("genesis.json");
    let liar = Liar::before(&node.url).await;
    let light = LightNode::start(&genesis, &folder.path().join("light.json"), &[&liar.url, &node.url]);
    light.reaches(1).await;
    let client = light.client();
    let is_lying = |status: &LightStatus| matches!(status.nodes[0].standing, Standing::Lying { .. });

    // A value.
    liar.tells(|method, _, result| {
        if method == "state_get" {
            spoil(&mut result["value"], 4);
        }
    });
    assert_eq!(number(&client.call::<GetState>(balance_of(&bob(&node))).await.unwrap().value) % 1_000, 30);
    // A value that was true once.
    let first = Mutex::new(None);
    liar.tells(move |method, _, result| {
        if method == "state_get" {
            let first = first.lock().unwrap().get_or_insert_with(|| result.clone()).clone();
            *result = first;
        }
    });
    light.status(|status| !is_lying(status)).await;
    assert_eq!(number(&client.call::<GetState>(balance_of(&bob(&node))).await.unwrap().value) % 1_000, 30);
    pay(&node, "8");
    light.reaches(2).await;
    for _ in 0..2 {
        assert_eq!(number(&client.call::<GetState>(balance_of(&bob(&node))).await.unwrap().value) % 1_000, 38);
    }
    // A header, a certificate.
    for field in ["header", "certificate"] {
        liar.tells(|_, _, _| {});
        light.status(|status| !is_lying(status)).await;
        liar.tells(move |method, _, result| {
            if method == "block_certificate" {
                let middle = result[field].as_str().unwrap().len() / 2;
                spoil(&mut result[field], middle);
            }
        });
        light.status(is_lying).await;
    }
    // A handover is kept back: the other node has it.
    liar.tells(|method, _, result| {
        if method == "chain_handovers" {
            result["handovers"] = json!([]);
        }
    });
    node.run(&["member", "remove", "dev-4"]);
    let height = node.client().chain_info().await.unwrap().height;
    pay(&node, "12");
    // A node's standing is noted when what was learned of it is kept.
    let is_kept = |status: &LightStatus| {
        status.nodes.iter().any(|node| matches!(node.standing, Standing::Good { height: at } if at > height))
    };
    let status = light.status(is_kept).await;
    assert_eq!((status.epoch, &status.fork), (1, &None));
    let known = client.call::<GetHandovers>(HandoversParams { from: 1, limit: None }).await.unwrap();
    assert_eq!(known.handovers.len(), 1);
    // While it is away, the validators change again. Then all lie: no answer.
    drop(light);
    node.run(&["member", "remove", "dev-3"]);
    pay(&node, "1");
    liar.tells(|method, _, result| {
        if method == "state_get" {
            result["value"] = Value::Null;
        }
    });
    let light = LightNode::start(&genesis, &folder.path().join("light.json"), &[&liar.url]);
    assert_eq!(light.started["epoch"], 1);
    light.status(|status| status.epoch == 2 && status.height > height.next()).await;
    let refused = light.client().call::<GetState>(balance_of(&bob(&node))).await.unwrap_err();
    assert!(refused.is(codes::UNVERIFIED), "{refused}");
    node.stop();
}

/// A chain that one key decides, as its validator sees fit.
struct MadeUp {
    genesis: Genesis,
    key: SecretKey,
}

impl MadeUp {
    fn new() -> MadeUp {
        let key = SecretKey::ed25519([77; 32]);
        let genesis = Genesis {
            chain_id: "chain".into(),
            group_id: "group".into(),
            timestamp: Timestamp(1),
            crypto: CryptoSuite::Standard,
            consensus: ConsensusKind::Solo,
            state_commitment: StateCommitment::Merkle,
            validators: vec![Validator { name: "one".into(), key: key.public_key() }],
            administrators: Vec::new(),
            accounts: Vec::new(),
            params: Params::default(),
        };
        MadeUp { genesis, key }
    }

    /// So many blocks, the last of which leaves this state.
    fn blocks(&self, count: u64, last: Hash) -> Vec<Header> {
        let validators = ValidatorSet::from_genesis(&self.genesis).unwrap().hash(self.genesis.crypto);
        let mut parent = Hash::ZERO;
        let next = |height| {
            let header = Header {
                crypto: CryptoSuite::Standard,
                chain_id: "chain".into(),
                group_id: "group".into(),
                height: Height(height),
                parent,
                timestamp: Timestamp(height),
                tx_root: Hash::ZERO,
                receipt_root: Hash::ZERO,
                rw_set_root: Hash::ZERO,
                dag_digest: Hash::ZERO,
                state_root: if height == count { last } else { Hash::ZERO },
                validators,
                next_validators: validators,
                epoch: Epoch(0),
                round: Round(0),
                proposer: 0,
                gas_used: Gas(0),
                tx_count: 1,
                extra: Vec::new(),
            };
            parent = header.hash();
            header
        };
        (1..=count).map(next).collect()
    }

    fn decided(&self, header: &Header) -> Value {
        let (height, epoch, block_hash) = (header.height, header.epoch, header.hash());
        let mut certificate = Certificate { height, epoch, block_hash, ..Certificate::default() };
        let bytes = certificate.sign_bytes(&self.genesis.identity());
        certificate.signatures.push((0, self.key.sign(&bytes).unwrap()));
        json!({ "header": Bytes(header.encode()), "certificate": Bytes(certificate.encode()) })
    }

    /// What a node that shows these blocks answers.
    fn node(&self, blocks: Vec<Header>) -> Router {
        let shown: Arc<Vec<Value>> = Arc::new(blocks.iter().map(|header| self.decided(header)).collect());
        let answer = async |State(shown): State<Arc<Vec<Value>>>, body: Body| {
            let request: Value = serde_json::from_slice(&body).unwrap();
            let at = request["params"]["at"].as_u64().map_or(shown.len(), |height| height as usize);
            json!({ "jsonrpc": "2.0", "id": 1, "result": shown[at - 1] }).to_string()
        };
        Router::new().fallback(answer).with_state(shown)
    }

    /// A node that shows these blocks.
    async fn serve(&self, blocks: Vec<Header>) -> String {
        serve(self.node(blocks)).await
    }
}

/// The next line that a program complains of.
async fn complaint(errors: BufReader<ChildStderr>) -> (String, BufReader<ChildStderr>) {
    let read = tokio::task::spawn_blocking(move || {
        let (mut line, mut errors) = (String::new(), errors);
        errors.read_line(&mut line).unwrap();
        (line, errors)
    });
    tokio::time::timeout(PATIENCE, read).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_gives_no_answer_is_named_at_once_and_followed_when_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let chain = MadeUp::new();
    let (genesis, file) = (folder.path().join("genesis.json"), folder.path().join("light.json"));
    std::fs::write(&genesis, serde_json::to_vec(&chain.genesis).unwrap()).unwrap();
    // It hangs up on whoever comes, until it serves.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (serve, mut begun) = tokio::sync::oneshot::channel();
    let node = chain.node(chain.blocks(3, Hash::ZERO));
    tokio::spawn(async move {
        loop {
            tokio::select! {
                taken = listener.accept() => drop(taken),
                _ = &mut begun => break,
            }
        }
        axum::serve(listener, node).await
    });
    let mut command = Command::new(env!("CARGO_BIN_EXE_hanse"));
    command.args(["light", "start", "--listen", "127.0.0.1:0", "--node", &url, "--genesis"]).arg(&genesis);
    let mut process = command.arg("--file").arg(&file).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let errors = BufReader::new(process.stderr.take().unwrap());
    let light = LightNode::ready(process, |line| json!({ "url": line.split(' ').next().unwrap() }));
    let (line, errors) = complaint(errors).await;
    assert!(line.starts_with(&format!("{url} gives no answer: ")), "{line}");
    assert!(line.ends_with("; no other node answers, and all are asked on\n"), "{line}");
    serve.send(()).unwrap();
    assert_eq!(complaint(errors).await.0, format!("{url} is at block 3\n"));
    light.reaches(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_blocks_of_one_height_end_all_trust() {
    let folder = tempfile::tempdir().unwrap();
    let chain = MadeUp::new();
    let (genesis, file) = (folder.path().join("genesis.json"), folder.path().join("light.json"));
    std::fs::write(&genesis, serde_json::to_vec(&chain.genesis).unwrap()).unwrap();
    let (one, other) = (chain.blocks(5, Hash::ZERO), chain.blocks(5, Hash([7; 32])));
    let hashes = [one[4].hash().to_string(), other[4].hash().to_string()];
    let nodes = [chain.serve(one).await, chain.serve(other).await];
    let run = |file: PathBuf| {
        let mut command = LightNode::command(&genesis, &file, &[&nodes[0], &nodes[1]]);
        tokio::task::spawn_blocking(move || command.output().unwrap())
    };
    // Seen once, it is not forgotten.
    for _ in 0..2 {
        let output = tokio::time::timeout(PATIENCE, run(file.clone())).await.unwrap().unwrap();
        assert_eq!(output.status.code(), Some(8));
        let text = String::from_utf8(output.stderr).unwrap();
        let error: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        let detail = &error["error"]["detail"];
        assert_eq!([&detail["first_hash"], &detail["second_hash"]], [&json!(hashes[0]), &json!(hashes[1])]);
        assert!(detail["first"]["certificate"].is_string() && detail["second"]["certificate"].is_string());
        assert!(error["error"]["message"].as_str().unwrap().contains("forked at height 5"), "{error}");
    }
}

#[test]
fn what_can_not_be_is_refused_before_it_starts() {
    let folder = tempfile::tempdir().unwrap();
    let genesis = MadeUp::new().genesis;
    std::fs::write(folder.path().join("genesis.json"), serde_json::to_vec(&genesis).unwrap()).unwrap();
    let other_hash = Hash([7; 32]).to_string();
    let refused: [(&[&str], &str); 4] = [
        (&["--listen", "0.0.0.0:7440"], "0.0.0.0:7440 is no loopback address"),
        (&["--genesis-hash", &other_hash], &format!("the genesis has the hash {}, not {other_hash}", genesis.hash())),
        (&["--genesis", "nothing.json"], "nothing.json: No such file"),
        (&["--genesis", "nothing.json"], "get it from the chain's founders"),
    ];
    for (options, reason) in refused {
        let start = ["light", "start", "--node", "http://127.0.0.1:1"];
        let output = common::hanse(folder.path(), &[&start[..], options].concat());
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(reason), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_of_running_nodes_are_followed_whoever_of_them_falls() {
    let treasurer = treasury().public_key().address().to_string();
    let consortium = Consortium::new(4);
    let mut nodes: Vec<Node> = (1..=4).map(|number| consortium.start(number)).collect();
    for node in &nodes {
        until_connected(&node.client(), 3).await;
    }
    // Two of them found another group.
    let create = ["group", "create", "side", "--member", "node-2", "--account", &format!("{treasurer}=1_000_000")];
    nodes[0].run(&[&create[..], &["--administrator", &treasurer]].concat());
    let founding = consortium.folder().join("side.json");
    std::fs::write(&founding, nodes[0].run(&["group", "export", "side"]).to_string()).unwrap();

    let urls: Vec<String> = nodes.iter().map(|node| node.url.clone()).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let genesis = consortium.folder().join("all/genesis.json");
    let file = |name: &str| consortium.folder().join(name);
    let all = LightNode::start(&genesis, &file("all.light"), &urls);
    let side = LightNode::start(&founding, &file("side.light"), &urls);
    let [all_client, side_client] = [all.client(), side.client()];
    let contexts = [nodes[0].client(), nodes[0].client().in_group("side")]
        .map(|client| async move { ChainContext::from(&client.chain_info().await.unwrap()) });
    let [in_all, in_side] = contexts;
    let (in_all, in_side) = (in_all.await, in_side.await);
    let paid = all_client.send(&payment(&in_all, 1), Wait::Committed, PATIENCE).await.unwrap().receipt.unwrap();
    all.reaches(paid.height.0).await;
    let paid = side_client.send(&payment(&in_side, 1), Wait::Committed, PATIENCE).await.unwrap().receipt.unwrap();
    let status = side.reaches(paid.height.0).await;
    assert_eq!(status.group_id, "side");
    // Who is not in the group gives no answer, and is no liar.
    side.status(|status| matches!(&status.nodes[3].standing, Standing::Away { reason } if reason.contains("side")))
        .await;

    // One of four is killed, and a light node as well, which comes back to blocks that it has not seen.
    nodes.remove(0).kill();
    drop(all);
    let client = nodes[1].client();
    let paid = client.submit_and_wait(&payment(&in_all, 2), PATIENCE).await.unwrap().receipt().unwrap();
    let all = LightNode::start(&genesis, &file("all.light"), &urls);
    let status = all.reaches(paid.height.0).await;
    assert!(status.fork.is_none(), "{status:?}");
    let all_client = all.client();
    let paid = all_client.send(&payment(&in_all, 3), Wait::Committed, PATIENCE).await.unwrap().receipt.unwrap();
    let proven = all_client.call::<GetReceipt>(ReceiptParams { tx_id: paid.tx_id, proof: true, timeout_ms: 0 }).await;
    assert_eq!(proven.unwrap().receipt.height, paid.height);
    all.status(|status| matches!(status.nodes[0].standing, Standing::Away { .. })).await;
    nodes.into_iter().for_each(Node::stop);
}
