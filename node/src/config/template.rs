//! The file that `hanse init` writes: every key with its words, commented out where its value is the default.

use super::keys::{Config, SECTIONS};

/// The text of a file with these values. Reading it gives them back.
pub(crate) fn text(config: &Config) -> String {
    let defaults = Config::default();
    let mut text = String::from(HEAD);
    for section in SECTIONS {
        text += "\n";
        comment(&mut text, section.about);
        text += &format!("[{}]\n", section.name);
        for key in section.keys {
            comment(&mut text, key.about);
            let (value, default) = (config.get(section.name, key.name), defaults.get(section.name, key.name));
            let sign = if value == default { "#" } else { "" };
            let value = value.map(|value| value.to_string()).unwrap_or_default();
            text += &format!("{sign}{} = {value}\n", key.name);
        }
    }
    text
}

/// What stands above the first section.
const HEAD: &str = "\
# A node of a Hanse chain. Every key is here; one that is commented out has its default.
# A variable overrides a key: HANSE_RPC__LISTEN is listen of [rpc]. `hanse config check` says what is wrong with this
# file, `hanse config print --origin` where each value comes from.
";

fn comment(text: &mut String, lines: &[&str]) {
    for line in lines {
        *text += &format!("# {}\n", line.trim());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::load::{Loaded, Origin};

    #[test]
    fn what_was_written_is_read_back_and_says_only_what_differs() {
        let mut config = Config::default();
        config.rpc.listen = "127.0.0.1:9".parse().unwrap();
        config.node.data = "some \"where\"".into();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hanse.toml");
        std::fs::write(&path, text(&config)).unwrap();
        let loaded = Loaded::read(&path, std::iter::empty()).unwrap();
        assert_eq!(loaded.config, config);
        assert!(matches!(loaded.origin("node", "data"), Origin::File { .. }));
        assert_eq!(loaded.origin("pool", "mib"), &Origin::Default);
    }

    #[test]
    fn every_comment_is_a_key_that_can_be_uncommented() {
        let text = text(&Config::default());
        let uncommented: String = text
            .lines()
            .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line).to_owned() + "\n")
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hanse.toml");
        std::fs::write(&path, uncommented).unwrap();
        let loaded = Loaded::read(&path, std::iter::empty()).unwrap();
        assert_eq!(loaded.config, Config::default());
        assert!(crate::config::keys::all().all(|(section, key)| loaded.origin(section, key.name) != &Origin::Default));
    }
}
