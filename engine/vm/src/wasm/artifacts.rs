//! Compiled modules on disk, so that a restart does not compile again.
//!
//! A file is named by the hash of the code and of everything that the compiler's output depends on, and starts with a
//! digest of its contents: a damaged, foreign or cut-off file is compiled anew, never run. Files are only as safe as the
//! folder: whoever may write there may run code in the node, as with its executable.

use std::fs;
use std::hash::{Hash as _, Hasher};
use std::path::{Path, PathBuf};

use hanse_types::Hash;
use sha2::{Digest, Sha256};

use super::engine::Engine;
use super::instrument;

/// See the module.
pub(crate) struct ArtifactCache {
    folder: PathBuf,
    /// Version and settings of the compiler.
    compiler: u64,
}

impl ArtifactCache {
    pub(crate) fn new(folder: PathBuf, engine: &Engine) -> ArtifactCache {
        let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
        engine.wasmtime.precompile_compatibility_hash().hash(&mut hasher);
        instrument::VERSION.hash(&mut hasher);
        ArtifactCache { folder, compiler: hasher.finish() }
    }

    fn path(&self, code: &Hash) -> PathBuf {
        self.folder.join(format!("{:016x}-{}.bin", self.compiler, const_hex::encode(code.0)))
    }

    /// The compiled module, if an intact one is there.
    pub(crate) fn load(&self, code: &Hash) -> Option<Vec<u8>> {
        let bytes = fs::read(self.path(code)).ok()?;
        let (digest, artifact) = bytes.split_first_chunk::<32>()?;
        (seal(code, artifact) == *digest).then(|| artifact.to_vec())
    }

    /// Keeps a compiled module. A cache that can't be written is only slower.
    pub(crate) fn store(&self, code: &Hash, artifact: &[u8]) {
        let _ = self.write(&self.path(code), &[&seal(code, artifact)[..], artifact].concat());
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let unfinished = path.with_extension(format!("{:?}.tmp", std::thread::current().id()));
        fs::write(&unfinished, bytes)?;
        fs::rename(unfinished, path)
    }
}

fn seal(code: &Hash, artifact: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(code.0).chain_update(artifact).finalize().into()
}

/// A hash whose result does not change with the build, unlike the standard library's.
struct Fnv(u64);

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
