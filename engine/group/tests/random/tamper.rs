//! DAGs that are not a block's, and that nobody may accept.

use hanse_scheduler::{BlockRun, Difference, verify};
use hanse_types::Dag;
use hanse_types::dag::DagError;

use super::chain::Block;
use super::lab::{Lab, assert_same, ordered};
use super::program::Rng;

type Rows = Vec<Vec<u32>>;

/// How many DAGs of each kind were refused.
#[derive(Clone, Copy, Debug, Default)]
pub struct Refused {
    pub missing: usize,
    pub extra: usize,
    pub mixed: usize,
    pub malformed: usize,
}

/// Tries wrong DAGs on a block, each on one of the pools.
pub fn try_wrong_dags(lab: &Lab, block: &Block, run: &BlockRun, rng: &mut Rng, refused: &mut Refused) {
    let rows = rows(&run.dag);
    let attempt = |rng: &mut Rng, wrong: &Rows| {
        let wrong = Dag::decode(&Dag::from_rows(wrong).unwrap().encode()).unwrap();
        assert_ne!(wrong, run.dag);
        let replayed = lab.replay(rng.next() as usize, block, &ordered(block, run), &wrong);
        let difference = verify(&wrong, &replayed).expect_err("a wrong DAG was accepted");
        check_difference(&difference, &wrong, &replayed.dag);
        (difference, replayed)
    };
    if let Some((from, to)) = some_edge(rng, &rows) {
        let (difference, replayed) = attempt(rng, &without(&rows, from, to));
        // Unless the replay saw other things for want of the edge, it's the edge that is named.
        if replayed.dag == run.dag {
            assert!(matches!(difference, Difference::MissingEdge { from: f, to: t, .. } if (f, t) == (from, to)));
        }
        refused.missing += 1;
    }
    if let Some((from, to)) = some_gap(rng, &rows) {
        let (difference, replayed) = attempt(rng, &with(&rows, from, to));
        // One edge too many orders everything as it should be, so nothing but the edge is wrong.
        assert_eq!(difference, Difference::ExtraEdge { from, to });
        assert_same(run, &replayed, block, "replayed with an edge too many");
        refused.extra += 1;
    }
    if let (Some((from, to)), Some(gap)) = (some_edge(rng, &rows), some_gap(rng, &rows)) {
        attempt(rng, &with(&without(&rows, from, to), gap.0, gap.1));
        refused.mixed += 1;
    }
    let longer = Dag::from_rows(&[&rows[..], &[Vec::new()]].concat()).unwrap();
    let expected = rows.len();
    assert_eq!(verify(&longer, run), Err(Difference::Vertices { found: expected + 1, expected }));
    refused.malformed += refuse_malformed(rng, &rows);
}

/// Whether what is said of two DAGs is true, and the first that can be said.
fn check_difference(difference: &Difference, wrong: &Dag, canonical: &Dag) {
    let (from, to, lacking, having) = match difference {
        Difference::MissingEdge { from, to, .. } => (from, to, wrong, canonical),
        Difference::ExtraEdge { from, to } => (from, to, canonical, wrong),
        Difference::Vertices { .. } => panic!("{difference}"),
    };
    assert!(having.predecessors(*to as usize).contains(from), "{difference}");
    assert!(!lacking.predecessors(*to as usize).contains(from), "{difference}");
    for before in 0..*to as usize {
        assert_eq!(wrong.predecessors(before), canonical.predecessors(before), "{difference} comes later");
    }
}

/// Rows that are no DAG, as values and as bytes; how many there were.
fn refuse_malformed(rng: &mut Rng, rows: &Rows) -> usize {
    assert_eq!(Dag::decode(&encode(rows)), Dag::from_rows(rows), "the bytes are written as the product writes them");
    let count = rows.len() as u32;
    let vertex = rng.below(u64::from(count)) as u32;
    let mut wrong = vec![
        ("its own predecessor", inserted(rows, vertex, vertex)),
        ("out of range", inserted(rows, vertex, count + rng.below(5) as u32)),
        ("far out of range", inserted(rows, vertex, u32::MAX)),
    ];
    if let Some((from, to)) = some_edge(rng, rows) {
        wrong.push(("a cycle", inserted(rows, from, to)));
        wrong.push(("a duplicate", inserted(rows, to, from)));
    }
    if vertex + 1 < count {
        wrong.push(("a later predecessor", inserted(rows, vertex, vertex + 1)));
    }
    for (what, rows) in &wrong {
        assert!(matches!(Dag::from_rows(rows), Err(DagError::Row { .. })), "{what} as rows");
        assert!(matches!(Dag::decode(&encode(rows)), Err(DagError::Row { .. })), "{what} as bytes");
    }
    let bytes = encode(rows);
    let cut = rng.below(bytes.len() as u64) as usize;
    assert!(Dag::decode(&bytes[..cut]).is_err(), "cut off");
    assert!(Dag::decode(&[&bytes[..], &[0]].concat()).is_err(), "bytes behind it");
    wrong.len() + 2
}

fn rows(dag: &Dag) -> Rows {
    (0..dag.len()).map(|vertex| dag.predecessors(vertex).to_vec()).collect()
}

/// The bytes of rows, whether they are a DAG or not.
fn encode(rows: &Rows) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut write = |mut number: u32| {
        while number >= 0x80 {
            bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
    };
    write(rows.len() as u32);
    for (vertex, row) in rows.iter().enumerate() {
        write(row.len() as u32);
        let mut after = vertex as u32;
        for predecessor in row.iter().rev() {
            write(after.wrapping_sub(*predecessor));
            after = *predecessor;
        }
    }
    bytes
}

fn some_edge(rng: &mut Rng, rows: &Rows) -> Option<(u32, u32)> {
    let edges: usize = rows.iter().map(Vec::len).sum();
    let nth = rng.below(edges.max(1) as u64) as usize;
    let mut all = rows.iter().enumerate().flat_map(|(to, row)| row.iter().map(move |from| (*from, to as u32)));
    all.nth(nth)
}

/// Two transactions without an edge.
fn some_gap(rng: &mut Rng, rows: &Rows) -> Option<(u32, u32)> {
    if rows.len() < 2 {
        return None;
    }
    let to = 1 + rng.below(rows.len() as u64 - 1) as u32;
    let from = rng.below(u64::from(to)) as u32;
    (!rows[to as usize].contains(&from)).then_some((from, to))
}

fn without(rows: &Rows, from: u32, to: u32) -> Rows {
    let mut rows = rows.clone();
    rows[to as usize].retain(|other| *other != from);
    rows
}

fn with(rows: &Rows, from: u32, to: u32) -> Rows {
    inserted(rows, to, from)
}

/// A predecessor put into a row, which stays in order.
fn inserted(rows: &Rows, vertex: u32, predecessor: u32) -> Rows {
    let mut rows = rows.clone();
    let row = &mut rows[vertex as usize];
    let at = row.partition_point(|other| *other < predecessor);
    row.insert(at, predecessor);
    rows
}
