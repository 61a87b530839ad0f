//! Pictures of runs and the edges that they make.
#![allow(clippy::unwrap_used)]

use super::*;
use hanse_state::number;
use hanse_state::{MemoryView, StateView};
use hanse_types::{Add, Delta, RangeRead, Read, Version, Write};

/// Accesses of one transaction, as in `"r1 w2 a3:-5"`: read, write, add with amount, scan (`s1-4`).
fn set(text: &str) -> RwSet {
    let mut set = RwSet::default();
    for access in text.split_whitespace() {
        let (kind, rest) = access.split_at(1);
        match kind {
            "r" => set.reads.push(Read { key: key(rest), version: Version::Parent, present: true }),
            "w" => set.writes.push(Write { key: key(rest), value: Some(number::encode(10, 8)) }),
            "a" => {
                let (name, amount) = rest.split_once(':').unwrap();
                let delta = Delta { amount: amount.parse().unwrap(), width: 8, min: 0, max: 20 };
                set.adds.push(Add { key: key(name), delta });
            }
            _ => {
                let (start, end) = rest.split_once('-').unwrap();
                set.ranges.push(RangeRead { start: key(start), end: key(end) });
            }
        }
    }
    set
}

fn key(name: &str) -> Vec<u8> {
    name.as_bytes().to_vec()
}

/// Every key holds 10 before the block, and bounds are 0 to 20.
fn edges(transactions: &[&str]) -> String {
    let view: MemoryView = (0..10).map(|n| (key(&n.to_string()), number::encode(10, 8))).collect();
    let sets: Vec<RwSet> = transactions.iter().map(|text| set(text)).collect();
    let dag = from_rw_sets(&sets, Arc::new(view) as Arc<dyn StateView>).unwrap();
    let row = |vertex: usize| {
        let row: Vec<String> = dag.predecessors(vertex).iter().map(u32::to_string).collect();
        if row.is_empty() { vertex.to_string() } else { format!("{vertex}<-{}", row.join(",")) }
    };
    (0..dag.len()).map(row).collect::<Vec<_>>().join(" ")
}

#[test]
fn reads_and_writes() {
    assert_eq!(edges(&["r1", "r1", "r2"]), "0 1 2");
    assert_eq!(edges(&["w1", "r1", "r1", "w1"]), "0 1<-0 2<-0 3<-1,2");
    assert_eq!(edges(&["w1", "w1", "w1"]), "0 1<-0 2<-1");
    assert_eq!(edges(&["r1 w2", "w1 r2"]), "0 1<-0");
    assert_eq!(edges(&["r1", "w1", "r1"]), "0 1<-0 2<-1");
}

#[test]
fn adds_commute_within_their_bounds() {
    assert_eq!(edges(&["a1:5", "a1:5", "a1:-10"]), "0 1 2");
    assert_eq!(edges(&["a1:5", "a1:6"]), "0 1<-0", "21 is beyond the bound");
    assert_eq!(edges(&["a1:-5", "a1:-6"]), "0 1<-0");
    assert_eq!(edges(&["w1", "a1:1", "a1:1", "w1"]), "0 1<-0 2<-0 3<-1,2");
}

#[test]
fn readers_wait_for_adders_through_their_first() {
    assert_eq!(edges(&["a1:1", "a1:1", "r1", "r1", "r1"]), "0 1 2<-0,1 3<-2 4<-2");
    assert_eq!(edges(&["r1", "r1", "a1:1", "a1:1"]), "0 1 2<-0,1 3<-2");
    assert_eq!(edges(&["a1:1", "r1", "r1"]), "0 1<-0 2<-0", "a run of one needs no head");
}

#[test]
fn ranges_see_what_is_changed_inside() {
    assert_eq!(edges(&["w2", "s1-4", "w3", "w5"]), "0 1<-0 2<-1 3");
    assert_eq!(edges(&["s1-4", "w4"]), "0 1", "the end is not inside");
    assert_eq!(edges(&["s1-4", "a1:1", "a1:1"]), "0 1<-0 2<-0");
    assert_eq!(edges(&["s1-4 w2", "s1-4 w3"]), "0 1<-0");
}

#[test]
fn edges_are_linear_where_adders_and_readers_meet() {
    let view = Arc::new(MemoryView::default());
    let delta = Delta { amount: 1, width: 8, min: 0, max: u128::MAX };
    let adder = RwSet { adds: vec![Add { key: key("1"), delta }], ..RwSet::default() };
    let sets: Vec<RwSet> = (0..2_000).map(|n| if n < 1_000 { adder.clone() } else { set("r1") }).collect();
    let dag = from_rw_sets(&sets, view).unwrap();
    assert_eq!(dag.edge_count(), 1_000 + 999);
}
