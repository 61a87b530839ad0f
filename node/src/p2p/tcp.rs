//! TCP for libp2p: sockets of tokio, a port of its own for each connection that is made.
//!
//! libp2p has a transport for this too. It also watches the machine's network interfaces and reuses the port it listens on,
//! which serves nodes that don't know their own address; it needs a dozen crates for that, one without upkeep. Nodes here
//! are told where they can be reached.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Ready, ready};
use libp2p::Multiaddr;
use libp2p::core::transport::{DialOpts, ListenerId, Transport, TransportError, TransportEvent};
use libp2p::multiaddr::Protocol;
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::time::{Sleep, sleep};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

/// A connection as libp2p reads and writes it.
type Socket = Compat<TcpStream>;
type Event = TransportEvent<Ready<Result<Socket, io::Error>>, io::Error>;

/// Connections that are taken at a time before anything else is done.
const TAKEN_AT_A_TIME: usize = 16;
/// After a connection could not be taken, for so long none is: what it lacked may be there then.
const PAUSE: Duration = Duration::from_millis(100);

/// See the module.
#[derive(Default)]
pub(super) struct Tcp {
    listeners: Vec<(ListenerId, SocketAddr, TcpListener)>,
    events: VecDeque<Event>,
    /// After a failure, how long nothing is taken.
    pause: Option<Pin<Box<Sleep>>>,
    waker: Option<Waker>,
}

impl Transport for Tcp {
    type Output = Socket;
    type Error = io::Error;
    type ListenerUpgrade = Ready<Result<Socket, io::Error>>;
    type Dial = BoxFuture<'static, Result<Socket, io::Error>>;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<io::Error>> {
        let Some(socket) = to_socket(&address) else { return Err(TransportError::MultiaddrNotSupported(address)) };
        let (listener, bound) = bind(socket).map_err(TransportError::Other)?;
        self.listeners.push((id, bound, listener));
        self.events.push_back(TransportEvent::NewAddress { listener_id: id, listen_addr: of_socket(bound) });
        self.waker.take().into_iter().for_each(Waker::wake);
        Ok(())
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        let Some(at) = self.listeners.iter().position(|(known, ..)| *known == id) else { return false };
        let (_, bound, _) = self.listeners.swap_remove(at);
        self.events.push_back(TransportEvent::AddressExpired { listener_id: id, listen_addr: of_socket(bound) });
        self.events.push_back(TransportEvent::ListenerClosed { listener_id: id, reason: Ok(()) });
        self.waker.take().into_iter().for_each(Waker::wake);
        true
    }

    fn dial(&mut self, address: Multiaddr, _: DialOpts) -> Result<Self::Dial, TransportError<io::Error>> {
        let Some(target) = Target::of(&address) else { return Err(TransportError::MultiaddrNotSupported(address)) };
        Ok(async move { ready_to_use(TcpStream::connect(&*target.resolve().await?).await?) }.boxed())
    }

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Event> {
        let Tcp { listeners, events, pause, waker } = &mut *self;
        if let Some(event) = events.pop_front() {
            return Poll::Ready(event);
        }
        let is_over = pause.as_mut().is_none_or(|pause| pause.as_mut().poll(context).is_ready());
        if is_over {
            let fail = |(id, bound, listener): &(_, _, _)| take(*id, *bound, listener, events, context);
            *pause = listeners.iter().any(fail).then(|| Box::pin(sleep(PAUSE)));
            if pause.is_some() {
                context.waker().wake_by_ref();
            }
        }
        match events.pop_front() {
            Some(event) => Poll::Ready(event),
            None => {
                *waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// Takes connections that have come; whether that failed.
fn take(
    id: ListenerId,
    bound: SocketAddr,
    listener: &TcpListener,
    events: &mut VecDeque<Event>,
    context: &mut Context<'_>,
) -> bool {
    for _ in 0..TAKEN_AT_A_TIME {
        match listener.poll_accept(context) {
            Poll::Pending => return false,
            Poll::Ready(Ok((stream, from))) => {
                let local = stream.local_addr().unwrap_or(bound);
                events.push_back(TransportEvent::Incoming {
                    listener_id: id,
                    upgrade: ready(ready_to_use(stream)),
                    local_addr: of_socket(local),
                    send_back_addr: of_socket(from),
                });
            }
            // Such as too many open files, or a connection that is gone already. The listener goes on.
            Poll::Ready(Err(error)) => {
                events.push_back(TransportEvent::ListenerError { listener_id: id, error });
                return true;
            }
        }
    }
    // There may be more.
    context.waker().wake_by_ref();
    false
}

fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), io::Error> {
    let listener = StdListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let bound = listener.local_addr()?;
    Ok((TcpListener::from_std(listener)?, bound))
}

/// Votes are small and urgent: nothing waits to be sent together with what comes later.
fn ready_to_use(stream: TcpStream) -> Result<Socket, io::Error> {
    stream.set_nodelay(true)?;
    Ok(stream.compat())
}

/// A socket's address as libp2p writes it.
pub(crate) fn of_socket(address: SocketAddr) -> Multiaddr {
    Multiaddr::from(address.ip()).with(Protocol::Tcp(address.port()))
}

/// Where a connection goes: a number, or a host that the system knows by its name.
enum Target {
    Socket(SocketAddr),
    Host { name: String, port: u16, four: bool, six: bool },
}

impl Target {
    fn of(address: &Multiaddr) -> Option<Target> {
        let mut parts = address.iter();
        let (name, four, six) = match parts.next()? {
            Protocol::Dns(name) => (name, true, true),
            Protocol::Dns4(name) => (name, true, false),
            Protocol::Dns6(name) => (name, false, true),
            _ => return to_socket(address).map(Target::Socket),
        };
        let Protocol::Tcp(port) = parts.next()? else { return None };
        let rest = parts.find(|part| !matches!(part, Protocol::P2p(_)));
        rest.is_none().then(|| Target::Host { name: name.into_owned(), port, four, six })
    }

    async fn resolve(self) -> Result<Vec<SocketAddr>, io::Error> {
        match self {
            Target::Socket(socket) => Ok(vec![socket]),
            Target::Host { name, port, four, six } => {
                let found = lookup_host((name, port)).await?;
                Ok(found.filter(|address| (address.is_ipv4() && four) || (address.is_ipv6() && six)).collect())
            }
        }
    }
}

/// The socket's address that is meant; none if it is none, or has more to it.
fn to_socket(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter();
    let ip = match parts.next()? {
        Protocol::Ip4(ip) => ip.into(),
        Protocol::Ip6(ip) => ip.into(),
        _ => return None,
    };
    let Protocol::Tcp(port) = parts.next()? else { return None };
    // Who must answer there was said already.
    let rest = parts.find(|part| !matches!(part, Protocol::P2p(_)));
    rest.is_none().then_some(SocketAddr::new(ip, port))
}
