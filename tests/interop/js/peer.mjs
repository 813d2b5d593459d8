// A stock js-libp2p node that dials a cell and reports, as one line of JSON, what it got.
//
//   node --experimental-websocket peer.mjs '{"address": MULTIADDR, "gossip": PROTOCOL, "hello": HEX, "secret": "..."}'
//
// `gossip` is the cell's gossip protocol; `hello` is a well-formed first frame for another network.
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

const DEADLINE_MS = 60000

// js-libp2p 3 asks for Node 22, which has this. With --experimental-websocket, nothing else of it is
// missing in Node 20.
Promise.withResolvers ??= function () {
  let resolve, reject
  const promise = new this((yes, no) => { resolve = yes; reject = no })
  return { promise, resolve, reject }
}

const hex = (bytes) => Buffer.from(bytes).toString('hex')
const unhex = (text) => Uint8Array.from(Buffer.from(text, 'hex'))
const soon = () => ({ signal: AbortSignal.timeout(DEADLINE_MS) })

/** Send `data` on a new stream; return what came back until the other side ended it. */
async function talk (connection, protocol, data) {
  const stream = await connection.newStream(protocol, soon())
  const received = []
  const ended = new Promise((resolve) => stream.addEventListener('close', resolve))
  const remoteEnd = new Promise((resolve) => stream.addEventListener('remoteCloseWrite', resolve))
  stream.addEventListener('message', (event) => received.push(event.data.subarray()))
  for (let at = 0; at < data.length; at += 16384) {
    if (stream.writeStatus !== 'writable') break
    if (!stream.send(data.subarray(at, at + 16384))) await stream.onDrain(soon()).catch(() => {})
  }
  const timeout = new Promise((resolve) => setTimeout(() => resolve('timeout'), DEADLINE_MS).unref())
  const end = await Promise.race([ended, remoteEnd, timeout])
  stream.abort(new Error('done'))
  return { bytes: hex(Buffer.concat(received)), ended: end !== 'timeout' }
}

async function attempt (work) {
  try {
    return { result: await work() }
  } catch (error) {
    return { error: error.name }
  }
}

const wish = JSON.parse(process.argv[2])
const stock = () => createLibp2p({
  transports: [tcp(), webSockets()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  connectionManager: {
    addressDialTimeout: DEADLINE_MS,
    outboundStreamProtocolNegotiationTimeout: DEADLINE_MS
  },
  services: { identify: identify({ timeout: DEADLINE_MS }), ping: ping({ timeout: DEADLINE_MS }) }
})
// The cell has deadlines of its own: a machine that stands still for as long costs one try.
async function dial (from, tries = 3) {
  try {
    return await from.dial(multiaddr(wish.address), soon())
  } catch (error) {
    if (tries === 1) throw error
    return await dial(from, tries - 1)
  }
}
const node = await stock()
const rude = await stock() // has a key of its own, as the cell may ban it for its garbage
const report = { peerIds: [node, rude].map((one) => one.peerId.toString()) }

const identified = new Promise((resolve) => {
  node.addEventListener('peer:identify', (event) => resolve(event.detail), { once: true })
})
const connection = await dial(node)
report.remotePeer = connection.remotePeer.toString()
report.encryption = connection.encryption
report.multiplexer = connection.multiplexer
const told = await identified
report.identify = {
  agentVersion: told.agentVersion,
  protocolVersion: told.protocolVersion,
  protocols: told.protocols,
  publicKey: hex(told.publicKey),
  listenAddrs: told.listenAddrs.map(String),
  observedAddr: String(told.observedAddr)
}
report.pingMs = []
for (let count = 0; count < 3; count++) {
  report.pingMs.push(await node.services.ping.ping(connection.remotePeer, soon()))
}
const foreign = `/myceld/${'00'.repeat(32)}/gossip/1`
report.foreign = await attempt(() => talk(connection, foreign, new Uint8Array(10)))
report.hello = await attempt(() => talk(connection, wish.gossip, unhex(wish.hello)))
const garbage = crypto.getRandomValues(new Uint8Array(60000))
garbage[0] = 0xff
report.garbage = await attempt(async () => talk(await dial(rude), wish.gossip, garbage))
// The cell may have closed the connection with the session: a new one shows that it lives.
await node.hangUp(connection.remotePeer, soon())
const again = await dial(node)
report.pingAfterMs = await node.services.ping.ping(again.remotePeer, soon())
console.log(JSON.stringify(report))
await Promise.all([node.stop(), rude.stop()])
process.exit(0)
