//! scratch, never committed
#![allow(missing_docs, clippy::unwrap_used)]
use clap::ValueEnum;
use hanse_benches::measure::{Taken, pool, timed};
use hanse_benches::random::{Random, Zipf};
use hanse_benches::workload::{Prepared, Workload};
use hanse_scheduler::{Hints, propose, replay, run_serial};
use hanse_types::Transaction;
#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let w = Workload::from_str(&a[1], true).unwrap();
    let modes = &a[2];
    let threads: usize = a[3].parse().unwrap();
    let blocks: usize = a[4].parse().unwrap();
    let size: usize = a.get(5).map_or(10_000, |s| s.parse().unwrap());
    let accounts: usize = a.get(6).map_or(100_000, |s| s.parse().unwrap());
    let p = Prepared::new(w, accounts, threads).unwrap();
    let zipf = Zipf::new(p.world.accounts.len(), 0.0);
    let mut random = Random::new(1);
    let pool = pool(threads).unwrap();
    let ex = &p.world.executor;
    let mut hints = Hints::default();
    let mut t: std::collections::BTreeMap<char, Vec<Taken>> = Default::default();
    let batches: Vec<_> = (0..8).map(|_| p.block(size, &zipf, &mut random)).collect();
    eprintln!("ready");
    for n in 0..blocks {
        let batch = &batches[n % 8];
        let mut proposed = None;
        for m in modes.chars() {
            match m {
                's' => {
                    let (k, r) = pool.install(|| timed(|| run_serial(ex, batch, 0..batch.len(), p.world.parent())));
                    drop(r);
                    t.entry(m).or_default().push(k);
                }
                'c' => {
                    let (k, r) = pool.install(|| timed(|| propose(ex, batch, p.world.parent(), &mut Hints::default())));
                    drop(r);
                    t.entry(m).or_default().push(k);
                }
                'p' => {
                    let (k, r) = pool.install(|| timed(|| propose(ex, batch, p.world.parent(), &mut hints)));
                    proposed = Some(r.unwrap());
                    t.entry(m).or_default().push(k);
                }
                'r' => {
                    let d = proposed
                        .take()
                        .unwrap_or_else(|| pool.install(|| propose(ex, batch, p.world.parent(), &mut hints)).unwrap());
                    let txs: Vec<Transaction> = d.order.iter().map(|i| batch[*i].clone()).collect();
                    let (k, r) = pool.install(|| timed(|| replay(ex, &txs, &d.dag, p.world.parent())));
                    drop(r);
                    t.entry(m).or_default().push(k);
                }
                _ => {}
            }
        }
    }
    let med = |v: &mut Vec<f64>| {
        v.sort_by(f64::total_cmp);
        v[v.len() / 2]
    };
    let base = t
        .get(&'s')
        .map(|v| (med(&mut v.iter().map(|x| x.wall).collect()), med(&mut v.iter().map(|x| x.cpu).collect())));
    for (m, v) in &t {
        let (wall, cpu) = (med(&mut v.iter().map(|x| x.wall).collect()), med(&mut v.iter().map(|x| x.cpu).collect()));
        print!("{m}: {:7.0} ns/tx wall {:7.0} cpu", wall * 1e9 / size as f64, cpu * 1e9 / size as f64);
        if let Some(b) = base {
            print!("   x loop {:.3}  x cpu {:.3}", b.0 / wall, b.1 / cpu);
        }
        println!();
    }
}
