// Measures Hypercore for scripts/bench-journal: one case a process, one JSON line on standard output.
//   node bench-journal-hypercore.js CASE DIR [name=value …]
// Cases: append multi get seek prove verify consistency build open repl serve live.
// It is run from a directory in which `npm install hypercore corestore` was done.
'use strict'
const { createRequire } = require('module')
const { randomBytes } = require('crypto')
const { spawn, execFileSync } = require('child_process')
const fs = require('fs')
const net = require('net')
const path = require('path')
const load = createRequire(path.join(process.cwd(), 'index.js'))
const Hypercore = load('hypercore')

const [, , name, dir, ...rest] = process.argv
const options = Object.fromEntries(rest.map((text) => text.split('=')))
const number = (key, otherwise) => (key in options ? Number(options[key]) : otherwise)
const size = number('size', 100)
const count = number('count', 100000)
const seconds = number('secs', 1)

const clock = () => Number(process.hrtime.bigint()) / 1e9
const pick = (n) => Math.floor(Math.random() * n)
const quantile = (values, part) => {
  values.sort((a, b) => a - b)
  return values[Math.min(values.length - 1, Math.floor(values.length * part))]
}
const pool = Array.from({ length: 1000 }, () => randomBytes(size))
let taken = 0
const block = () => pool[taken++ % pool.length]
const blocks = (n) => Array.from({ length: n }, block)

async function opened (where, settings) {
  const core = new Hypercore(where, settings)
  await core.ready()
  return core
}

async function fill (core, n) {
  for (let at = core.length; at < n; at += 1000) await core.append(blocks(Math.min(1000, n - at)))
}

// Runs `work` again and again for the time given; returns how often, per second.
async function rate (work, readers = 1) {
  let done = 0
  const began = clock()
  const until = began + seconds
  await Promise.all(Array.from({ length: readers }, async () => {
    while (clock() < until) { await work(); done++ }
  }))
  return done / (clock() - began)
}

const cases = {
  async append () {
    const encryption = options.encrypted ? { encryption: { key: Buffer.alloc(32, 7) } } : {}
    const core = await opened(path.join(dir, 'core'), encryption)
    const batch = number('batch', 1)
    await core.append(blocks(10))
    const value = await rate(async () => {
      await core.append(batch === 1 ? block() : blocks(batch))
      if (options.power) await core.state.storage.db.flush()
    }, number('writers', 1))
    return { value: value * batch }
  },
  async multi () {
    const Corestore = load('corestore')
    const store = new Corestore(path.join(dir, 'cores'))
    await store.ready()
    const cores = []
    for (let i = 0; i < 16; i++) {
      const core = store.get({ name: 'journal' + i })
      await core.ready()
      cores.push(core)
    }
    let next = 0
    return { value: await rate(() => cores[next++ % 16].append(block()), 16) }
  },
  async get () {
    const core = await opened(dir)
    return { value: await rate(() => core.get(pick(count)), number('readers', 1)) }
  },
  async seek () {
    const core = await opened(dir)
    return { value: await rate(() => core.seek(pick(core.byteLength))) }
  },
  async prove () {
    const core = await opened(dir)
    const upgrade = { start: 0, length: core.length }
    return { value: await rate(() => core.proof({ block: { index: pick(count), nodes: 0 }, upgrade })) }
  },
  async consistency () {
    const core = await opened(dir)
    return {
      value: await rate(() => {
        const start = 1 + pick(count - 2)
        return core.proof({ upgrade: { start, length: core.length - start } })
      })
    }
  },
  async verify () {
    const core = await opened(dir)
    const upgrade = { start: 0, length: core.length }
    const proofs = []
    for (let i = 0; i < 500; i++) {
      const proof = await core.proof({ block: { index: pick(count), nodes: 0 }, upgrade })
      proof.manifest = core.core.header.manifest
      proofs.push(proof)
    }
    let next = 0
    return { value: await rate(() => core.verifyFullyRemote(proofs[next++ % 500])) }
  },
  async build () {
    const core = await opened(dir)
    await fill(core, count)
    await core.state.storage.db.flush()
    await core.close()
    const bytes = Number(execFileSync('du', ['-sb', dir]).toString().split('\t')[0])
    return { value: bytes / count }
  },
  async open () {
    const began = clock()
    const core = await opened(dir)
    const value = (clock() - began) * 1000
    await core.close()
    return { value }
  },
  async serve () {
    const core = await opened(path.join(dir, 'a'))
    await fill(core, count)
    const server = net.createServer((socket) => {
      socket.setNoDelay(true)
      const stream = core.replicate(false)
      socket.pipe(stream).pipe(socket)
      for (const end of [socket, stream]) end.on('error', () => process.exit(0))
    })
    server.listen(0, '127.0.0.1', () => {
      console.log(JSON.stringify({ port: server.address().port, key: core.key.toString('hex') }))
    })
    return new Promise(() => {})
  },
  async repl () {
    const child = spawn(process.execPath, [__filename, 'serve', dir, `count=${count}`], {
      stdio: ['ignore', 'pipe', 'inherit']
    })
    const line = await new Promise((resolve) => {
      let text = ''
      child.stdout.on('data', (data) => { text += data; if (text.includes('\n')) resolve(text) })
    })
    const { port, key } = JSON.parse(line)
    const copy = new Hypercore(path.join(dir, 'c'), Buffer.from(key, 'hex'))
    await copy.ready()
    const began = clock()
    const socket = net.connect(port, '127.0.0.1')
    socket.setNoDelay(true)
    const stream = copy.replicate(true)
    socket.pipe(stream).pipe(socket)
    for (const end of [socket, stream]) end.on('error', () => {})
    await copy.download({ start: 0, end: count }).done()
    const took = clock() - began
    const wire = (socket.bytesRead + socket.bytesWritten) / count
    child.kill()
    return { value: count / took, wire }
  },
  async live () {
    const writer = await opened(path.join(dir, 'a'))
    const copy = new Hypercore(path.join(dir, 'b'), writer.key)
    await copy.ready()
    const one = writer.replicate(true)
    one.pipe(copy.replicate(false)).pipe(one)
    await writer.append(block())
    copy.download({ start: 0, end: -1 })
    await copy.get(0)
    const times = []
    for (let i = 1; i < number('rounds', 300); i++) {
      const began = clock()
      await writer.append(block())
      await copy.get(i)
      times.push((clock() - began) * 1000)
    }
    return { value: quantile(times, 0.5), p99: quantile(times, 0.99) }
  }
}

fs.mkdirSync(dir, { recursive: true })
cases[name]().then((result) => {
  console.log(JSON.stringify(result))
  process.exit(0)
}, (error) => {
  console.error(error)
  process.exit(1)
})
