//! Blocks, in their order.

use axum::response::sse::Event;
use hanse_client::RpcError;
use hanse_client::stream::StreamedBlock;
use hanse_types::Height;

use super::super::{Node, errors, limits, render};
use super::frame;

/// The blocks of one reader.
pub(super) struct Source {
    next: Height,
    tx_ids: bool,
}

impl Source {
    /// From a height on.
    pub(super) fn new(from: Height, tx_ids: bool) -> Source {
        Source { next: from, tx_ids }
    }

    fn block(&self, node: &Node) -> Result<Option<StreamedBlock>, RpcError> {
        let ledger = node.group.ledger();
        let Some(header) = ledger.header(self.next).map_err(errors::ledger)? else { return Ok(None) };
        let receipts = ledger.receipts(self.next).map_err(errors::ledger)?.unwrap_or_default();
        let failed = receipts.iter().filter(|receipt| !receipt.status.is_success()).count() as u32;
        let tx_ids = self.tx_ids.then(|| receipts.iter().map(|receipt| receipt.tx_id.0).collect());
        Ok(Some(StreamedBlock { header: render::header(&header), failed, tx_ids }))
    }
}

impl super::Source for Source {
    fn page(&mut self, node: &Node) -> Result<Vec<Event>, RpcError> {
        let mut frames = Vec::new();
        while frames.len() < limits::STREAM_BLOCKS
            && let Some(block) = self.block(node)?
        {
            self.next = self.next.next();
            frames.push(frame(&block).id(self.cursor()));
        }
        Ok(frames)
    }

    fn cursor(&self) -> String {
        self.next.to_string()
    }

    fn height(&self) -> Height {
        self.next
    }
}
