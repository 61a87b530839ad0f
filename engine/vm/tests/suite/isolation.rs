//! A call sees nothing of what another call left in the instance: memory, globals, table, the host's buffer.

use hanse_types::Status;

use crate::world::{ALICE, BOB, IMPORTS, World, machine, module};

/// `look` gives a digest of the whole memory and of all globals, as it finds them; `soil` changes all of them, and
/// `soil_and_fail` does so and traps.
fn nosy() -> String {
    module(
        r#"(data (i32.const 5000) "something to begin with")
        (global $a (mut i32) (i32.const 7)) (global $b (mut i64) (i64.const -1))
        (table 4 funcref) (elem (i32.const 1) $look)
        (func $look (export "hanse.look") (local i32)
            (local.set 0 (memory.size))
            (call $sha256 (i32.const 0) (i32.mul (memory.size) (i32.const 65536)) (i32.const 0))
            (i32.store (i32.const 32) (global.get $a)) (i64.store (i32.const 36) (global.get $b))
            (i32.store (i32.const 44) (local.get 0))
            (call $output (i32.const 0) (i32.const 48)))
        (func $fill (param $pages i32) (local $at i32)
            (drop (memory.grow (local.get $pages)))
            (loop $next
                (i64.store (local.get $at) (i64.const 0x5a5a5a5a5a5a5a5a))
                (local.set $at (i32.add (local.get $at) (i32.const 8)))
                (br_if $next (i32.lt_u (local.get $at) (i32.mul (memory.size) (i32.const 65536)))))
            (global.set $a (i32.const 99)) (global.set $b (i64.const 99)))
        (func (export "hanse.soil") (call $fill (i32.const 0)))
        (func (export "hanse.soil_more") (call $fill (i32.const 30)))
        (func (export "hanse.soil_and_fail") (call $fill (i32.const 3)) unreachable)
        (func (export "hanse.soil_and_spend") (call $fill (i32.const 3)) (loop (br 0)))
        (func $deep (call $deep))
        (func (export "hanse.soil_and_dive") (call $fill (i32.const 0)) (call $deep))
        (func (export "hanse.fill_buffer") (call $set (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 100))
            (drop (call $scan (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 9) (i32.const 0))))
        (func (export "hanse.use_buffer") (call $buffer (i32.const 0) (i32.const 0) (i32.const 1)))"#,
    )
}

#[test]
fn whatever_ran_before_a_call_finds_the_same() {
    let mut world = World::new();
    world.gas_limit = 50_000_000;
    let contract = world.deploy("nosy", &nosy());
    let other = world.deploy("other", &nosy().replace("something", "otherwise"));
    let first = world.call(contract, "look", &[]);
    assert_eq!(first.status, Status::Success);
    assert_eq!(first.output[32..], [&[7, 0, 0, 0][..], &[255; 8], &[2, 0, 0, 0]].concat());
    let of_other = world.call(other, "look", &[]);
    assert_ne!(of_other.output, first.output);
    for soil in ["soil", "soil_more", "soil_and_fail", "soil_and_spend", "soil_and_dive"] {
        for soiled in [contract, other] {
            world.call(soiled, soil, &[]);
            assert_eq!(world.call(contract, "look", &[]), first, "after {soil}");
            assert_eq!(world.call(other, "look", &[]), of_other, "after {soil}");
        }
    }
    assert_eq!(world.call(contract, "fill_buffer", &[]).status, Status::Success);
    assert_eq!(world.call(contract, "use_buffer", &[]).status, Status::Trapped);
}

/// The same on one machine alone, where instances are most likely to meet again, and with many threads on it.
#[test]
fn under_load_as_well() {
    let mut world = World::new();
    world.gas_limit = 50_000_000;
    let contract = world.deploy("nosy", &nosy());
    let vm = machine(4);
    let look = world.transaction(ALICE, contract, "look", Vec::new());
    let expected = world.dry(&look);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (world, vm, look, expected) = (&world, &vm, &look, &expected);
            scope.spawn(move || {
                for round in 0..60 {
                    let method = ["soil", "soil_more", "soil_and_fail", "soil_and_dive"][(round + thread) % 4];
                    world.recorded(vm, &world.transaction(BOB, contract, method, Vec::new()));
                    assert_eq!(&world.recorded(vm, look), expected);
                }
            });
        }
    });
}

/// What compiled code lies on disk, and in which state, changes nothing.
#[test]
fn damaged_artifacts_are_compiled_anew() {
    let folder = tempfile::tempdir().unwrap();
    let config = hanse_vm::VmConfig { threads: 1, artifacts: Some(folder.path().to_owned()) };
    let mut world = World::new();
    let contract = world.deploy("nosy", &nosy());
    let look = world.transaction(ALICE, contract, "look", Vec::new());
    let expected = world.dry(&look);
    let run = || world.recorded(&hanse_vm::Vm::new(&config).unwrap(), &look);
    assert_eq!(run(), expected);
    let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let artifact = std::fs::read(&file).unwrap();
    assert_eq!(run(), expected, "from the cache");
    for at in (0..artifact.len()).step_by(artifact.len() / 9) {
        let mut damaged = artifact.clone();
        damaged[at] ^= 1;
        std::fs::write(&file, damaged).unwrap();
        assert_eq!(run(), expected, "with byte {at} changed");
        std::fs::write(&file, &artifact[..at]).unwrap();
        assert_eq!(run(), expected, "cut at byte {at}");
    }
    assert_eq!(std::fs::read(&file).unwrap().len(), artifact.len(), "it was made anew");
}

/// Every kind of store, at every place where a reset that works by blocks could miss a byte of it.
#[test]
fn no_store_is_missed() {
    let stores = ["i32.store8", "i32.store16", "i32.store", "i64.store8", "i64.store16", "i64.store32", "i64.store"];
    let methods: String = stores
        .iter()
        .enumerate()
        .flat_map(|(n, store)| [(n, store, 0), (n, store, 5), (n, store, 70_001)])
        .map(|(n, store, offset)| {
            let ty = &store[..3];
            format!(
                "(func (export \"hanse.s{n}_{offset}\") (drop (call $input (i32.const 0) (i32.const 4)))
                    ({store} offset={offset} (i32.load (i32.const 0)) ({ty}.const -1)))"
            )
        })
        .collect();
    let look = "(func (export \"hanse.look\") (call $sha256 (i32.const 0) (i32.mul (memory.size) (i32.const 65536))
        (i32.const 0)) (call $output (i32.const 0) (i32.const 32)))";
    // More blocks than there are marks, and few.
    for pages in [1, 9] {
        let mut world = World::new();
        let text = format!(
            "(module {IMPORTS} (memory (export \"memory\") {pages}) (data (i32.const 2000) \"{}\") {methods} {look})",
            "x".repeat(5_000)
        );
        let contract = world.deploy("poked", &text);
        let vm = machine(1);
        let call = |method: &str, address: u32| {
            let args = address.to_le_bytes().to_vec();
            world.plain(&vm, &world.transaction(ALICE, contract, method, args)).0
        };
        let clean = call("look", 0);
        let end = pages * 65_536u32;
        for block in [0, 1, 2, 31, 32, 33, 63, 64, 65, 127, 287] {
            for beside in 0..16 {
                let target = (block * 2_048u32 + beside).saturating_sub(8);
                let (n, offset) = (beside as usize % stores.len(), [0, 5, 70_001][(block + beside) as usize % 3]);
                let Some(address) = target.checked_sub(offset) else { continue };
                let execution = call(&format!("s{n}_{offset}"), address);
                let inside = target + 8 <= end;
                assert!(!inside || execution.status.is_success(), "{target}: {}", execution.message);
                assert_eq!(call("look", 0), clean, "after {} at {target} of {end}", stores[n]);
            }
        }
    }
}

/// What the host writes for a contract is gone too, however long it is.
#[test]
fn what_the_host_wrote_is_gone() {
    let mut world = World::new();
    let inside = "(func (export \"hanse.take\") (drop (call $input (i32.const 100) (i32.const 130000))))
        (func (export \"hanse.look\") (call $sha256 (i32.const 0) (i32.const 131072) (i32.const 0))
            (call $output (i32.const 0) (i32.const 32)))";
    let contract = world.deploy("taker", &module(inside));
    let clean = world.call(contract, "look", &[]);
    for length in [1, 1_947, 1_948, 1_949, 2_048, 64_000, 129_000, 130_000] {
        assert_eq!(world.call(contract, "take", &vec![7; length]).status, Status::Success);
        assert_eq!(world.call(contract, "look", &[]), clean, "after {length} bytes");
    }
}
