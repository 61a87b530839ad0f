//! Pages of the state, bounded in number and in bytes.

use hanse_abi::keys::contract_prefix;
use hanse_client::RpcError;
use hanse_state::{Entry, StateView};
use hanse_types::Address;

use super::{errors, limits};

/// Entries that are read at a time: values may be large.
const CHUNK: usize = 16;

/// The entries of a contract whose own keys start with `prefix`, from `from` on, at most `limit`; and the own key that goes
/// on, if there are more. A page has one entry at least, and ends when it has grown large.
pub(super) fn page(
    state: &dyn StateView,
    contract: &Address,
    prefix: &[u8],
    from: Option<&[u8]>,
    limit: usize,
) -> Result<(Vec<Entry>, Option<Vec<u8>>), RpcError> {
    let full_prefix = [&contract_prefix(contract)[..], prefix].concat();
    let end = after_prefix(&full_prefix);
    let first = from.map(|from| [&contract_prefix(contract)[..], from].concat());
    let mut start = first.map_or(full_prefix.clone(), |first| first.max(full_prefix));
    let (mut page, mut bytes) = (Vec::new(), 0);
    loop {
        let wanted = CHUNK.min(limit + 1 - page.len());
        let found = state.range(&start, &end, wanted, false).map_err(|error| errors::query(error.into()))?;
        let last = found.len() < wanted;
        for (key, value) in found {
            if page.len() == limit || (bytes > limits::PAGE_BYTES && !page.is_empty()) {
                return Ok((page, Some(key[contract_prefix(contract).len()..].to_vec())));
            }
            bytes += key.len() + value.len();
            start = [&key[..], &[0]].concat();
            page.push((key, value));
        }
        if last {
            return Ok((page, None));
        }
    }
}

/// The first key after all that start with a prefix that has other bytes than 0xff.
fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut after = prefix.to_vec();
    while let Some(last) = after.pop() {
        if last < u8::MAX {
            after.push(last + 1);
            return after;
        }
    }
    // No contract's address is all 0xff: its keys would have to end here.
    vec![u8::MAX; prefix.len() + 1]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use hanse_abi::keys::full_key;
    use hanse_state::MemoryView;
    use hanse_types::Value;

    fn keys(found: &[Entry]) -> Vec<Vec<u8>> {
        found.iter().map(|(key, _)| key[21..].to_vec()).collect()
    }

    #[test]
    fn pages_follow_one_another_and_stay_inside_the_prefix() {
        let contract = Address([255; 20]);
        let own: [&[u8]; 5] = [b"a", b"b\0", b"b\xff", b"b\xff\xff", b"c"];
        let mut state = MemoryView::default();
        own.iter().for_each(|key| state.put(&full_key(&contract, key), Some(Value::from(vec![1]))));
        state.put(&full_key(&Address([254; 20]), b"b"), Some(Value::from(vec![1])));
        let (first, next) = page(&state, &contract, b"b", None, 2).unwrap();
        assert_eq!((keys(&first), next.as_deref()), (vec![own[1].to_vec(), own[2].to_vec()], Some(own[3])));
        let (second, next) = page(&state, &contract, b"b", next.as_deref(), 2).unwrap();
        assert_eq!((keys(&second), next), (vec![own[3].to_vec()], None));
        assert_eq!(page(&state, &contract, b"", None, 100).unwrap().0.len(), 5);
    }

    #[test]
    fn a_page_ends_when_it_has_grown_large() {
        let contract = Address([1; 20]);
        let mut state = MemoryView::default();
        for n in 0..40u8 {
            state.put(&full_key(&contract, &[n]), Some(Value::from(vec![0; limits::PAGE_BYTES / 10])));
        }
        let (found, next) = page(&state, &contract, b"", None, 100).unwrap();
        assert!(found.len() < 15 && next.is_some(), "{}", found.len());
    }
}
