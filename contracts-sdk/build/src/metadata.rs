//! What cargo says of a folder: where it keeps what it makes, and which contracts are there.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{BuildError, manifest, toolchain};

/// The crate that every contract links.
const SDK: &str = "hanse-sdk";

/// What `cargo metadata` says; of its many fields those that are needed here.
#[derive(Debug, Deserialize)]
pub struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
    workspace_members: Vec<String>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
    #[serde(skip)]
    manifest: PathBuf,
}

#[derive(Debug, Deserialize)]
struct Package {
    id: String,
    name: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    crate_types: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    dependencies: Vec<String>,
}

/// A crate that is a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractCrate {
    /// Its name in Rust: that of its library.
    pub crate_name: String,
    /// Its folder.
    pub folder: PathBuf,
}

/// Asks cargo about the crate or workspace in a folder.
///
/// # Errors
/// If there is none, or cargo can't read it.
pub fn read(folder: &Path) -> Result<Metadata, BuildError> {
    let manifest = manifest(folder)?;
    let mut command = toolchain::cargo()?;
    command.args(["metadata", "--quiet", "--format-version", "1", "--manifest-path"]).arg(&manifest);
    let output = command.output().map_err(|source| BuildError::NoRust { program: "cargo", source })?;
    let unreadable = |reason: String| BuildError::Metadata { manifest: manifest.clone(), reason };
    if !output.status.success() {
        return Err(unreadable(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout).map_err(|error| unreadable(error.to_string()))?;
    Ok(Metadata { manifest, ..metadata })
}

impl Metadata {
    /// Where modules are built. One folder for each workspace, because cargo keeps the modules of two crates of one name
    /// in one place, and takes the one for the other.
    pub(crate) fn modules_folder(&self) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        self.workspace_root.hash(&mut hasher);
        self.target_directory.join("contracts").join(format!("{:016x}", hasher.finish()))
    }

    /// The contracts that the tests of this crate, or of this workspace's crates, need: themselves, and those that they
    /// depend on.
    pub fn contracts(&self) -> Vec<ContractCrate> {
        let own = self.packages.iter().find(|package| package.manifest_path == self.manifest);
        let roots = own.map_or_else(|| self.workspace_members.iter().collect(), |package| vec![&package.id]);
        let reached = self.reached(roots);
        let packages = self.packages.iter().filter(|package| reached.contains(&package.id));
        packages.filter(|package| self.links_sdk(package)).filter_map(Package::contract).collect()
    }

    fn dependencies(&self) -> BTreeMap<&String, &[String]> {
        self.resolve.nodes.iter().map(|node| (&node.id, &node.dependencies[..])).collect()
    }

    fn reached<'a>(&'a self, mut open: Vec<&'a String>) -> BTreeSet<&'a String> {
        let dependencies = self.dependencies();
        let mut reached = BTreeSet::new();
        while let Some(id) = open.pop() {
            if reached.insert(id) {
                open.extend(dependencies.get(id).into_iter().flat_map(|ids| ids.iter()));
            }
        }
        reached
    }

    fn links_sdk(&self, package: &Package) -> bool {
        let sdk = self.packages.iter().find(|package| package.name == SDK).map(|package| &package.id);
        let node = self.resolve.nodes.iter().find(|node| node.id == package.id);
        node.zip(sdk).is_some_and(|(node, sdk)| node.dependencies.contains(sdk))
    }
}

impl Package {
    /// A contract is built as a dynamic library.
    fn contract(&self) -> Option<ContractCrate> {
        let library = self.targets.iter().find(|target| target.crate_types.iter().any(|kind| kind == "cdylib"))?;
        let folder = self.manifest_path.parent()?.to_owned();
        Some(ContractCrate { crate_name: library.name.replace('-', "_"), folder })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, kind: &str) -> Package {
        let target = Target { name: name.to_owned(), crate_types: vec![kind.to_owned()] };
        let manifest_path = PathBuf::from(format!("/w/{name}/Cargo.toml"));
        Package { id: name.to_owned(), name: name.to_owned(), manifest_path, targets: vec![target] }
    }

    fn node(id: &str, dependencies: &[&str]) -> Node {
        Node { id: id.to_owned(), dependencies: dependencies.iter().map(ToString::to_string).collect() }
    }

    fn metadata(manifest: &str) -> Metadata {
        let packages = [("my-escrow", "cdylib"), ("token", "cdylib"), ("other", "cdylib"), ("hanse-sdk", "lib")];
        let nodes = [("my-escrow", &["hanse-sdk", "token"][..]), ("token", &["hanse-sdk"]), ("other", &["hanse-sdk"])];
        Metadata {
            packages: packages.iter().map(|(name, kind)| package(name, kind)).collect(),
            resolve: Resolve { nodes: nodes.iter().map(|(id, dependencies)| node(id, dependencies)).collect() },
            workspace_members: ["my-escrow", "other"].map(str::to_owned).to_vec(),
            workspace_root: PathBuf::from("/w"),
            target_directory: PathBuf::from("/t"),
            manifest: PathBuf::from(manifest),
        }
    }

    fn names(metadata: &Metadata) -> Vec<String> {
        metadata.contracts().into_iter().map(|found| found.crate_name).collect()
    }

    #[test]
    fn a_crate_brings_the_contracts_that_it_depends_on() {
        assert_eq!(names(&metadata("/w/my-escrow/Cargo.toml")), ["my_escrow", "token"]);
        assert_eq!(names(&metadata("/w/other/Cargo.toml")), ["other"]);
        assert_eq!(names(&metadata("/w/Cargo.toml")), ["my_escrow", "token", "other"]);
    }

    #[test]
    fn workspaces_do_not_share_a_folder() {
        let one = metadata("/w/Cargo.toml");
        let other = Metadata { workspace_root: PathBuf::from("/v"), ..metadata("/w/Cargo.toml") };
        assert!(one.modules_folder().starts_with("/t/contracts"));
        assert_ne!(one.modules_folder(), other.modules_folder());
    }
}
