// A stock client of libp2p in another language: connects to a node, identifies it, pings it.
//
//   npm ci && node stranger.mjs /ip4/127.0.0.1/tcp/7430/p2p/12D3KooW…
//
// Its own id is printed first: the node lets it in if that is in network.allow, or after `hanse net allow ID`. SEED, 64
// hexadecimal digits, keeps the id from run to run. It tries until it is let in, PATIENCE milliseconds at most.
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@libp2p/yamux'
import { generateKeyPairFromSeed, generateKeyPair } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

const PATIENCE = Number(process.env.PATIENCE ?? 60_000)
// Node.js has it from 22 on.
Promise.withResolvers ??= () => {
  const made = {}
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }))
  return made
}

const address = multiaddr(process.argv[2])
const seed = process.env.SEED
const privateKey = seed ? await generateKeyPairFromSeed('Ed25519', Buffer.from(seed, 'hex')) : await generateKeyPair('Ed25519')
const client = await createLibp2p({
  privateKey,
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify(), ping: ping() }
})
console.log(JSON.stringify({ id: client.peerId.toString() }))

// Identify runs by itself on each new connection.
const identified = new Promise((resolve) => {
  client.addEventListener('peer:identify', (event) => resolve(event.detail))
})
const deadline = Date.now() + PATIENCE
let known
while (known === undefined) {
  if (Date.now() > deadline) throw new Error('not let in: the node hangs up before it says what it is')
  const hungUp = new Promise((resolve) => client.addEventListener('connection:close', () => resolve(undefined), { once: true }))
  try {
    await client.dial(address)
    known = await Promise.race([identified, hungUp])
  } catch {
    // As often as not the end of the connection is noticed while it is being made.
  }
}
const { agentVersion, protocolVersion, protocols } = known
const roundTrip = await client.services.ping.ping(address)
console.log(JSON.stringify({ agent: agentVersion, protocol: protocolVersion, protocols, ping_ms: roundTrip }))
await client.stop()
