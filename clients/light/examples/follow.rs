//! What following a chain takes: `follow GENESIS URL…` goes from the genesis of that file to the newest block of running nodes,
//! with the program that `hanse light` is made of, and says how many headers that were, their bytes and the time.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use hanse_light::{Light, Standing};
use hanse_types::Genesis;

/// Rounds without a node that is followed, after which it gives up.
const ROUNDS: usize = 5;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let genesis = arguments.next().ok_or("usage: follow GENESIS URL…")?;
    let genesis: Genesis = serde_json::from_slice(&fs::read(genesis)?)?;
    let file = std::env::temp_dir().join(format!("hanse-follow-{}.json", std::process::id()));
    let followed = follow(&genesis, &file, &arguments.collect::<Vec<_>>()).await;
    let kept = fs::metadata(&file).map(|file| file.len());
    // What could not be written is not there either.
    let _ = fs::remove_file(&file);
    let (light, took) = followed?;

    let status = light.status();
    let (figures, count) = (status.figures, status.figures.headers.max(1));
    println!("headers      {} up to block {}, in {} ms", figures.headers, status.height, took.as_millis());
    println!(
        "each         {} bytes with its certificate, {} µs to check",
        figures.bytes / count,
        figures.check_us / count
    );
    println!("epochs       {}", status.epoch + 1);
    println!("kept on disk {} bytes", kept?);
    Ok(())
}

/// Until a round has found a node that it followed to its end.
async fn follow(genesis: &Genesis, file: &Path, nodes: &[String]) -> Result<(Light, Duration), Box<dyn Error>> {
    let light = Light::open(genesis, file, nodes)?;
    let began = Instant::now();
    for _ in 0..ROUNDS {
        light.round().await?;
        let is_good = |standing: &Standing| matches!(standing, Standing::Good { .. });
        if light.status().nodes.iter().any(|node| is_good(&node.standing)) {
            return Ok((light, began.elapsed()));
        }
    }
    let nodes = light.status().nodes;
    Err(format!("none of the nodes could be followed: {}", serde_json::to_string(&nodes)?).into())
}
