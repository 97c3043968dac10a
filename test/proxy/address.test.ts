/** URLs of upstreams, and the words for consistency. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseUpstream } from '../../src/proxy/address.ts'
import { consistencyText, parseConsistency } from '../../src/proxy/consistency.ts'

const NONE = { server: null, sentinels: [], nodes: [], name: '', user: '', password: '', database: 0, tls: false }

describe('the URL of an upstream', () => {
  it('names a server, a user, a password, a database', () => {
    const server = { host: '10.0.0.1', port: 6379 }
    assert.deepEqual(parseUpstream('redis://10.0.0.1'), { ...NONE, server })
    assert.deepEqual(parseUpstream('redis://:secret@10.0.0.1:7000/3'), {
      ...NONE,
      server: { host: '10.0.0.1', port: 7000 },
      password: 'secret',
      database: 3,
    })
    const escaped = parseUpstream('redis://ann:p%40ss%3A@[::1]:6380')
    assert.deepEqual(escaped, { ...NONE, server: { host: '::1', port: 6380 }, user: 'ann', password: 'p@ss:' })
  })

  it('names Sentinels and their group', () => {
    const sentinels = [
      { host: 'a', port: 26379 },
      { host: 'b', port: 7001 },
    ]
    assert.deepEqual(parseUpstream('sentinel://a,b:7001/main/2'), { ...NONE, sentinels, name: 'main', database: 2 })
  })

  it('says whether TLS is spoken', () => {
    const server = { host: 'a', port: 6380 }
    assert.deepEqual(parseUpstream('rediss://a:6380'), { ...NONE, server, tls: true })
    const sentinels = [{ host: 'a', port: 26379 }]
    assert.deepEqual(parseUpstream('rediss+sentinel://a/main'), { ...NONE, sentinels, name: 'main', tls: true })
  })

  it('names nodes of a cluster', () => {
    const nodes = [
      { host: 'a', port: 7000 },
      { host: 'b', port: 6379 },
    ]
    assert.deepEqual(parseUpstream('cluster://:secret@a:7000,b'), { ...NONE, nodes, password: 'secret' })
    assert.deepEqual(parseUpstream('rediss+cluster://a:7000,b'), { ...NONE, nodes, tls: true })
  })

  it('is refused with a reason', () => {
    for (const wrong of [
      '10.0.0.1:6379',
      'redis://',
      'redis://a:b',
      'redis://a,b',
      'sentinel://a',
      'redis://a/x',
      'redisss://a',
      'cluster://a/1',
      'sentinel+rediss://a/main',
    ]) {
      assert.equal(typeof parseUpstream(wrong), 'string', wrong)
    }
  })
})

describe('consistency', () => {
  it('is said in words', () => {
    for (const text of ['eventual', 'session', 'linearizable', 'bounded 50', 'bounded 50 fail']) {
      assert.equal(consistencyText(parseConsistency(text.split(' '))!), text)
    }
    for (const wrong of ['', 'strong', 'bounded', 'bounded x', 'bounded 5 soft', 'session 5']) {
      assert.equal(parseConsistency(wrong.split(' ')), undefined, wrong)
    }
  })
})
