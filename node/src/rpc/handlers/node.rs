//! The node as its operators see it.

use hanse_client::methods::LogLevelParams;
use hanse_client::views::LogLevels;
use hanse_client::{RpcError, codes};

use super::super::registry::{Entry, reads};
use super::super::{Node, errors};
use crate::log::levels;

/// The methods of this namespace.
pub(super) const METHODS: &[Entry] = &[reads!(LogLevel, log_level)];

/// [`hanse_client::methods::LogLevel`].
fn log_level(node: &Node, params: &LogLevelParams) -> Result<LogLevels, RpcError> {
    let invalid = |reason: String| RpcError::new(codes::INVALID_PARAMS, format!("node_logLevel: {reason}"));
    let current = node.log.levels();
    let levels = match (&params.target, &params.level) {
        (None, None) => current,
        (Some(_), None) => return Err(invalid("a target without a level changes nothing; give both, or none".into())),
        (target, Some(level)) => {
            let level = levels::level(level).map_err(|error| invalid(error.to_string()))?;
            let target = target.as_deref();
            target.map_or(Ok(()), |target| current.has_room(target)).map_err(|error| invalid(error.to_string()))?;
            node.log.set_level(target, level).map_err(|error| errors::internal(&error))?
        }
    };
    let targets = levels.of_targets().map(|(target, level)| (target.to_owned(), level.to_string()));
    Ok(LogLevels {
        level: levels.of_all().to_string(),
        targets: targets.collect(),
        lost: node.log.lost().map(|(name, count)| (name.to_owned(), count)).collect(),
    })
}
