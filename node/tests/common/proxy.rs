//! A fixed address in front of a node that moves, dies and comes back; its connections can be cut.

use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::{io, thread};

pub(crate) struct Proxy {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// `host:port` of the node.
    target: String,
    connections: Vec<TcpStream>,
}

impl Proxy {
    /// In front of the node at this URL. Its threads end with the test's process.
    pub(crate) fn new(url: &str) -> Proxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url_here = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                pass_on(client.unwrap(), &shared);
            }
        });
        let proxy = Proxy { url: url_here, state };
        proxy.point_at(url);
        proxy
    }

    /// From now on, new connections go to the node at this URL.
    pub(crate) fn point_at(&self, url: &str) {
        self.state.lock().unwrap().target = url.trim_start_matches("http://").to_owned();
    }

    /// Cuts all connections that are open.
    pub(crate) fn cut(&self) {
        for connection in self.state.lock().unwrap().connections.drain(..) {
            // One that has ended can't be cut.
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

fn pass_on(client: TcpStream, state: &Mutex<State>) {
    let mut state = state.lock().unwrap();
    // Where no node is, the client's connection is closed, as a port without a listener does.
    let Ok(node) = TcpStream::connect(&state.target) else { return };
    state.connections.extend([client.try_clone().unwrap(), node.try_clone().unwrap()]);
    for (mut from, mut to) in [(client.try_clone().unwrap(), node.try_clone().unwrap()), (node, client)] {
        thread::spawn(move || {
            // However one direction ends, the other does too.
            let _ = io::copy(&mut from, &mut to);
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
}
