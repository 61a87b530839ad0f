//! The libp2p behaviour that opens a stream for frames on each connection, and takes the one that the other side opens.
//!
//! One stream for each direction, for the life of the connection, so that a stream is as much as a connection: where one
//! breaks, both end. A node of another kind that does not speak frames stays connected all the same.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::task::{Context, Poll};

use libp2p::PeerId;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::swarm::handler::{ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm, NetworkBehaviour, Stream,
    StreamProtocol, StreamUpgradeError, SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};

/// What both sides must speak: the frames of [`super::frame`].
const PROTOCOL: StreamProtocol = StreamProtocol::new("/hanse/frames/2");

/// What became of a stream.
#[derive(Debug)]
pub(super) enum Opened {
    /// Frames can be sent.
    Outgoing(Stream),
    /// Frames can be taken.
    Incoming(Stream),
    /// The other side speaks no frames.
    Foreign,
    /// No stream could be opened, for this reason.
    Failed(String),
}

/// The same, and on which connection.
#[derive(Debug)]
pub(super) struct StreamEvent {
    pub(super) peer: PeerId,
    pub(super) connection: ConnectionId,
    pub(super) opened: Opened,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Streams {
    events: VecDeque<StreamEvent>,
}

impl NetworkBehaviour for Streams {
    type ConnectionHandler = Handler;
    type ToSwarm = StreamEvent;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::default())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::default())
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, opened: THandlerOutEvent<Self>) {
        // The swarm asks for events after each of these.
        self.events.push_back(StreamEvent { peer, connection, opened });
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<StreamEvent, THandlerInEvent<Self>>> {
        self.events.pop_front().map_or(Poll::Pending, |event| Poll::Ready(ToSwarm::GenerateEvent(event)))
    }
}

/// The part of one connection.
#[derive(Debug, Default)]
pub(super) struct Handler {
    asked: bool,
    opened: VecDeque<Opened>,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Infallible;
    type ToBehaviour = Opened;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ())
    }

    fn connection_keep_alive(&self) -> bool {
        true
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Opened>> {
        if !self.asked {
            self.asked = true;
            let protocol = SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ());
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        match self.opened.pop_front() {
            Some(opened) => Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(opened)),
            None => Poll::Pending,
        }
    }

    fn on_behaviour_event(&mut self, event: Infallible) {
        match event {}
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol>) {
        let opened = match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol, .. }) => {
                Opened::Incoming(protocol)
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol, .. }) => {
                Opened::Outgoing(protocol)
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { error, .. }) => match error {
                StreamUpgradeError::NegotiationFailed => Opened::Foreign,
                StreamUpgradeError::Timeout => Opened::Failed("it did not answer in time".into()),
                StreamUpgradeError::Io(error) => Opened::Failed(error.to_string()),
                StreamUpgradeError::Apply(never) => match never {},
            },
            _ => return,
        };
        // The connection asks for events after each of these.
        self.opened.push_back(opened);
    }
}
