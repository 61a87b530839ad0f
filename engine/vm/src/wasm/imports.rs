//! The host interface as wasmtime imports: takes bytes from the contract's memory and puts bytes there, and leaves what
//! is done with them to [`crate::host`]. The table of functions, types and costs is [`hanse_abi::host`].

use hanse_abi::host::{self, ABSENT, CONTEXT_BYTES, NAMESPACE};
use hanse_abi::{Address, Event, Status};
use hanse_types::{Delta, limits};
use wasmtime::{Caller, Linker, Result};

use super::instance::{Dirty, HostState};
use super::ready::{fuel_of, gas_of};
use crate::failure::{Failure, Stop};
use crate::session::{Entry, Session};

type Host<'a> = Caller<'a, HostState>;

/// Defines every function of the interface.
pub(super) fn define(linker: &mut Linker<HostState>) -> Result<()> {
    let hanse = NAMESPACE;
    linker.func_wrap(hanse, host::INPUT.name, input)?;
    linker.func_wrap(hanse, host::OUTPUT.name, output)?;
    linker.func_wrap(hanse, host::CONTEXT.name, context)?;
    linker.func_wrap(hanse, host::STATE_GET.name, state_get)?;
    linker.func_wrap(hanse, host::STATE_SET.name, state_set)?;
    linker.func_wrap(hanse, host::STATE_REMOVE.name, state_remove)?;
    linker.func_wrap(hanse, host::STATE_ADD.name, state_add)?;
    linker.func_wrap(hanse, host::STATE_SCAN.name, state_scan)?;
    linker.func_wrap(hanse, host::CALL.name, call)?;
    linker.func_wrap(hanse, host::BUFFER.name, buffer)?;
    linker.func_wrap(hanse, host::EVENT.name, event)?;
    linker.func_wrap(hanse, host::REVERT.name, revert)?;
    linker.func_wrap(hanse, host::PANIC.name, panic)?;
    linker.func_wrap(hanse, host::BLOCK_HASH.name, block_hash)?;
    linker.func_wrap(hanse, host::SHA256.name, sha256)?;
    linker.func_wrap(hanse, host::VERIFY.name, verify)?;
    linker.func_wrap(hanse, host::DEBUG.name, debug)?;
    Ok(())
}

/// Does something with the session and the contract's memory, its gas brought over and back.
fn with<R>(caller: &mut Host<'_>, act: impl FnOnce(&mut Session, &mut Guest<'_>) -> Result<R, Stop>) -> Result<R> {
    let gas = gas_of(caller.get_fuel()?);
    let memory = caller.data().memory.expect("code runs after the instance was made");
    let (bytes, data) = memory.data_and_store_mut(&mut *caller);
    let session = data.session.as_mut().expect("the session is here while the contract runs");
    session.gas_left = gas.unwrap_or(0);
    let mut guest = Guest { bytes, dirty: &mut data.dirty };
    let result = if gas.is_some() { act(session, &mut guest) } else { Err(Failure::out_of_gas().into()) };
    let left = session.gas_left;
    let result = result.map_err(|stop| {
        data.stop = Some(stop);
        stopped()
    });
    caller.set_fuel(fuel_of(left))?;
    result
}

/// Unwinds the contract; why is in [`HostState::stop`].
fn stopped() -> wasmtime::Error {
    wasmtime::Error::msg("the host ended the call")
}

/// The contract's memory.
struct Guest<'a> {
    bytes: &'a mut [u8],
    dirty: &'a mut Dirty,
}

impl Guest<'_> {
    fn read(&self, pointer: u32, length: u32) -> Result<&[u8], Stop> {
        let from = pointer as usize;
        self.bytes.get(from..from + length as usize).ok_or_else(outside)
    }

    /// The only way in which the host writes to a contract's memory.
    fn write(&mut self, pointer: u32, bytes: &[u8]) -> Result<(), Stop> {
        let from = pointer as usize;
        let to = self.bytes.get_mut(from..from + bytes.len()).ok_or_else(outside)?;
        to.copy_from_slice(bytes);
        self.dirty.mark(from, bytes.len());
        Ok(())
    }

    /// Writes bytes if they fit into what the contract has room for; their length in any case.
    fn write_if_fits(&mut self, pointer: u32, capacity: u32, bytes: &[u8]) -> Result<u32, Stop> {
        if bytes.len() <= capacity as usize {
            self.write(pointer, bytes)?;
        }
        Ok(bytes.len() as u32)
    }

    fn address(&self, pointer: u32) -> Result<Address, Stop> {
        let mut address = Address::ZERO;
        address.0.copy_from_slice(self.read(pointer, Address::BYTES as u32)?);
        Ok(address)
    }
}

fn outside() -> Stop {
    Failure::new(Status::Trapped, "a pointer given to the host lies outside the memory").into()
}

fn input(mut caller: Host<'_>, pointer: u32, capacity: u32) -> Result<u32> {
    with(&mut caller, |session, memory| memory.write_if_fits(pointer, capacity, session.input()?))
}

fn output(mut caller: Host<'_>, pointer: u32, length: u32) -> Result<()> {
    with(&mut caller, |session, memory| session.output(memory.read(pointer, length)?))
}

fn context(mut caller: Host<'_>, pointer: u32) -> Result<()> {
    with(&mut caller, |session, memory| {
        let context = session.context()?;
        let mut encoded = [0; CONTEXT_BYTES];
        borsh::to_writer(&mut encoded[..], &context).expect("a context has its stated length");
        memory.write(pointer, &encoded)
    })
}

fn state_get(mut caller: Host<'_>, key: u32, key_length: u32, pointer: u32, capacity: u32) -> Result<i32> {
    with(&mut caller, |session, memory| {
        let Some(value) = session.get(memory.read(key, key_length)?)? else { return Ok(ABSENT) };
        memory.write_if_fits(pointer, capacity, &value).map(|length| length as i32)
    })
}

fn state_set(mut caller: Host<'_>, key: u32, key_length: u32, pointer: u32, length: u32) -> Result<()> {
    with(&mut caller, |session, memory| session.set(memory.read(key, key_length)?, memory.read(pointer, length)?))
}

fn state_remove(mut caller: Host<'_>, key: u32, key_length: u32) -> Result<()> {
    with(&mut caller, |session, memory| session.remove(memory.read(key, key_length)?))
}

#[expect(clippy::too_many_arguments, reason = "the host interface has them")]
fn state_add(
    mut caller: Host<'_>,
    key: u32,
    key_length: u32,
    low: u64,
    high: i64,
    width: u32,
    bounds: u32,
    bounds_length: u32,
) -> Result<u32> {
    with(&mut caller, |session, memory| {
        let amount = i128::from(high) << 64 | i128::from(low);
        // A width that is none is refused by the session.
        let width = u8::try_from(width).unwrap_or(u8::MAX);
        let (min, max) = read_bounds(memory.read(bounds, bounds_length)?)?;
        let fitted = session.add(memory.read(key, key_length)?, Delta { amount, width, min, max })?;
        Ok(u32::from(!fitted))
    })
}

fn read_bounds(bytes: &[u8]) -> Result<(u128, u128), Stop> {
    if bytes.is_empty() {
        return Ok((0, u128::MAX));
    }
    let refused = || Failure::new(Status::InvalidOperation, "the bounds of an add are two integers of 16 bytes");
    let (min, max) = bytes.split_first_chunk::<16>().ok_or_else(refused)?;
    let max: &[u8; 16] = max.try_into().map_err(|_| refused())?;
    Ok((u128::from_le_bytes(*min), u128::from_le_bytes(*max)))
}

fn state_scan(
    mut caller: Host<'_>,
    start: u32,
    start_length: u32,
    end: u32,
    end_length: u32,
    limit: u32,
    flags: i32,
) -> Result<u32> {
    with(&mut caller, |session, memory| {
        let (start, end) = (memory.read(start, start_length)?, memory.read(end, end_length)?);
        let entries = session.scan(start, end, limit as usize, flags)?;
        leave(session, borsh::to_vec(&entries).expect("a bounded scan encodes into memory"))
    })
}

/// Leaves bytes to be fetched; their length.
fn leave(session: &mut Session, bytes: Vec<u8>) -> Result<u32, Stop> {
    let length = bytes.len() as u32;
    session.frame_mut().buffer = bytes;
    Ok(length)
}

fn call(
    mut caller: Host<'_>,
    contract: u32,
    method: u32,
    method_length: u32,
    args: u32,
    args_length: u32,
    gas: i64,
) -> Result<u64> {
    let (contract, method, args) = with(&mut caller, |_, memory| {
        let name = memory.read(method, method_length.min(limits::NAME_BYTES as u32 + 1))?;
        let Ok(name) = std::str::from_utf8(name) else {
            return Err(Failure::new(Status::MethodNotFound, "the method's name is no text").into());
        };
        within_args(args_length)?;
        Ok((memory.address(contract)?, name.to_owned(), memory.read(args, args_length)?.to_vec()))
    })?;
    let session = caller.data_mut().session.take().expect("the session is here while the contract runs");
    let gas = u64::try_from(gas).ok();
    let (mut session, answer) = session.call(contract, &method, args, gas, Entry::Call);
    let left = session.gas_left;
    let result = answer.map(|answer| {
        let (status, bytes) = match answer {
            Ok(output) => (Status::Success, output),
            Err(failure) => {
                // The contract has been told; if it fails now, it is by itself.
                session.failed_in = Address::ZERO;
                (failure.status, failure.to_buffer())
            }
        };
        let length = bytes.len() as u64;
        session.frame_mut().buffer = bytes;
        u64::from(status.code()) << 32 | length
    });
    let data = caller.data_mut();
    data.session = Some(session);
    let result = result.map_err(|stop| {
        data.stop = Some(stop);
        stopped()
    });
    caller.set_fuel(fuel_of(left))?;
    result
}

fn within_args(length: u32) -> Result<(), Stop> {
    if length as usize > limits::ARGS_BYTES {
        let message = format!("arguments of {length} bytes are above the limit of {}", limits::ARGS_BYTES);
        return Err(Failure::new(Status::LimitExceeded, message).into());
    }
    Ok(())
}

fn buffer(mut caller: Host<'_>, pointer: u32, offset: u32, length: u32) -> Result<()> {
    with(&mut caller, |session, memory| {
        session.charge(host::BUFFER.cost.of(u64::from(length)))?;
        let from = offset as usize;
        let buffered = session.frame().buffer.get(from..from + length as usize);
        let buffered = buffered.ok_or_else(|| Failure::new(Status::Trapped, "the host's buffer is shorter"))?;
        memory.write(pointer, buffered)?;
        Ok(())
    })
}

fn event(mut caller: Host<'_>, pointer: u32, length: u32) -> Result<()> {
    with(&mut caller, |session, memory| {
        let encoded = memory.read(pointer, length)?;
        session.pay_for_event(encoded.len())?;
        let event: Event = borsh::from_slice(encoded)
            .map_err(|_| Failure::new(Status::InvalidOperation, "the event does not decode"))?;
        session.emit(event, encoded.len())
    })
}

fn revert(mut caller: Host<'_>, code: u32, pointer: u32, length: u32) -> Result<()> {
    with(&mut caller, |session, memory| {
        session.charge(host::REVERT.cost.of(u64::from(length)))?;
        let fields = memory.read(pointer, length)?;
        if fields.len() > limits::OUTPUT_BYTES {
            return Err(Failure::new(Status::LimitExceeded, "the error's fields are too long").into());
        }
        Err(refusal(code, fields).into())
    })
}

/// What a contract means by a code: an error of its own, or one of those that every contract has.
fn refusal(code: u32, fields: &[u8]) -> Failure {
    match (code, fields) {
        (host::INVALID_ARGUMENTS_CODE, [argument]) => Failure::new(
            Status::InvalidArguments,
            format!("argument {argument} does not decode, or bytes are left over"),
        ),
        (host::INVALID_ARGUMENTS_CODE, _) => Failure::new(Status::InvalidArguments, "the arguments do not decode"),
        (host::OUT_OF_BOUNDS_CODE, _) => Failure::new(Status::OutOfBounds, "an addition would leave its bounds"),
        (host::FIRST_RESERVED_CODE.., _) => {
            Failure::new(Status::InvalidOperation, format!("the error code {code} is reserved"))
        }
        _ => Failure::reverted(code, fields.to_vec()),
    }
}

fn panic(mut caller: Host<'_>, pointer: u32, length: u32) -> Result<()> {
    with(&mut caller, |session, memory| {
        session.charge(host::PANIC.cost.of(u64::from(length)))?;
        let message = memory.read(pointer, length.min(limits::MESSAGE_BYTES as u32))?;
        Err(Failure::new(Status::Panicked, String::from_utf8_lossy(message)).into())
    })
}

fn block_hash(mut caller: Host<'_>, height: u64, pointer: u32) -> Result<u32> {
    with(&mut caller, |session, memory| {
        let Some(hash) = session.block_hash(height)? else { return Ok(0) };
        memory.write(pointer, &hash)?;
        Ok(1)
    })
}

fn sha256(mut caller: Host<'_>, pointer: u32, length: u32, out: u32) -> Result<()> {
    with(&mut caller, |session, memory| {
        let digest = session.sha256(memory.read(pointer, length)?)?;
        memory.write(out, &digest)?;
        Ok(())
    })
}

#[expect(clippy::too_many_arguments, reason = "the host interface has them")]
fn verify(
    mut caller: Host<'_>,
    algorithm: u32,
    key: u32,
    key_length: u32,
    message: u32,
    message_length: u32,
    signature: u32,
    signature_length: u32,
) -> Result<u32> {
    with(&mut caller, |session, memory| {
        let key = memory.read(key, key_length)?;
        let message = memory.read(message, message_length)?;
        let signature = memory.read(signature, signature_length)?;
        session.verify(algorithm, key, message, signature).map(u32::from)
    })
}

fn debug(mut caller: Host<'_>, pointer: u32, length: u32) -> Result<()> {
    with(&mut caller, |session, memory| session.debug(memory.read(pointer, length)?))
}
