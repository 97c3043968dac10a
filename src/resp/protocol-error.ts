/** The texts that answer a malformed request before its connection is closed. redis 7.0.15 networking.c setProtocolError callers. */
export const protocolError = {
  tooBigInline: 'Protocol error: too big inline request',
  unbalancedQuotes: 'Protocol error: unbalanced quotes in request',
  tooBigMultibulkCount: 'Protocol error: too big mbulk count string',
  invalidMultibulkLength: 'Protocol error: invalid multibulk length',
  unauthenticatedMultibulkLength: 'Protocol error: unauthenticated multibulk length',
  tooBigBulkCount: 'Protocol error: too big bulk count string',
  invalidBulkLength: 'Protocol error: invalid bulk length',
  unauthenticatedBulkLength: 'Protocol error: unauthenticated bulk length',
  expectedDollar: (byte: number) => `Protocol error: expected '$', got '${String.fromCharCode(byte)}'`,
} as const
