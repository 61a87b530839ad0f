//! A DAG that is not the canonical one is never accepted, whatever the threads' timing makes of it.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Interpreter, Mix, Op, Pools, Program, Rng, check_block, random_block, random_parent};
use hanse_scheduler::{Difference, Hints, replay, verify};
use hanse_types::Dag;

fn rows(dag: &Dag) -> Vec<Vec<u32>> {
    (0..dag.len()).map(|vertex| dag.predecessors(vertex).to_vec()).collect()
}

/// Takes an edge out, puts one in, or both, until the DAG is another one.
fn mutate(rng: &mut Rng, dag: &Dag) -> Option<Dag> {
    if dag.len() < 2 {
        return None;
    }
    let mut rows = rows(dag);
    for _ in 0..1 + rng.below(3) {
        let vertex = 1 + rng.below(dag.len() as u64 - 1) as usize;
        let from = rng.below(vertex as u64) as u32;
        match rows[vertex].binary_search(&from) {
            Ok(at) => drop(rows[vertex].remove(at)),
            Err(at) if rng.below(2) == 0 => rows[vertex].insert(at, from),
            Err(_) if !rows[vertex].is_empty() => {
                let at = rng.below(rows[vertex].len() as u64) as usize;
                rows[vertex].remove(at);
            }
            Err(_) => {}
        }
    }
    Some(Dag::from_rows(&rows).unwrap()).filter(|other| other != dag)
}

#[test]
fn mutated_dags_are_refused() {
    let pools = Pools::new();
    let mut refused = 0;
    for block in 0..600u64 {
        let mut rng = Rng(77 ^ (block << 20));
        let keys = [2, 4, 10, 40][rng.below(4) as usize];
        let mix = [Mix::Everything, Mix::Adds, Mix::Scans, Mix::Plain][rng.below(4) as usize];
        let interpreter = Interpreter { keys };
        let size = 2 + rng.below(25) as usize;
        let batch = random_block(&mut rng, keys, mix, size);
        let parent = random_parent(&mut rng, keys);
        let proposed = check_block(&pools, &interpreter, &batch, &parent, 16, Hints::default);
        let ordered: Vec<Program> = proposed.order.iter().map(|index| batch[*index].clone()).collect();
        for _ in 0..4 {
            let Some(wrong) = mutate(&mut rng, &proposed.dag) else { continue };
            for pool in pools.iter() {
                let replayed = pool.install(|| replay(&interpreter, &ordered, &wrong, parent.clone())).unwrap();
                assert!(verify(&wrong, &replayed).is_err(), "block {block} was accepted under a wrong DAG");
            }
            refused += 1;
        }
    }
    assert!(refused > 1_000, "only {refused} wrong DAGs were tried");
    println!("{refused} wrong DAGs refused");
}

#[test]
fn the_difference_is_named() {
    let program = |ops| Program { ops, args: Vec::new() };
    let batch = [program(vec![Op::Write(1)]), program(vec![Op::Read(2)]), program(vec![Op::Read(1)])];
    let interpreter = Interpreter { keys: 3 };
    let parent = random_parent(&mut Rng(5), 3);
    let verify_under = |rows: &[&[u32]]| {
        let dag = Dag::from_rows(rows).unwrap();
        verify(&dag, &replay(&interpreter, &batch, &dag, parent.clone()).unwrap())
    };
    assert_eq!(verify_under(&[&[], &[], &[0]]), Ok(()));
    let Err(Difference::MissingEdge { from: 0, to: 2, key }) = verify_under(&[&[], &[], &[]]) else {
        panic!("the missing edge is named")
    };
    assert_eq!(key.0, Some(common::key(1)));
    assert_eq!(verify_under(&[&[], &[0], &[0]]), Err(Difference::ExtraEdge { from: 0, to: 1 }));
}
