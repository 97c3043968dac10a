/**
 * Distances on the earth in meters, and the units they are asked for in. redis 7.0.15 geohash_helper.c geohashGetDistance,
 * geo.c extractUnitOrReply
 */
import { asin, cos, sin } from '../../bytes/trigonometry.ts'
import type { Call } from '../call.ts'

/** Quadratic mean radius of WGS-84. */
export const EARTH_RADIUS = 6372797.560856
const DEGREE = Math.PI / 180

export function radians(degrees: number): number {
  return degrees * DEGREE
}

export function degrees(radians: number): number {
  return radians / DEGREE
}

/** Along a meridian. */
export function latitudeDistance(latitude1: number, latitude2: number): number {
  return EARTH_RADIUS * Math.abs(radians(latitude2) - radians(latitude1))
}

/** By the haversine formula, to the last bit. */
export function distance(longitude1: number, latitude1: number, longitude2: number, latitude2: number): number {
  const v = sin((radians(longitude2) - radians(longitude1)) / 2)
  if (v === 0) return latitudeDistance(latitude1, latitude2)
  const from = radians(latitude1)
  const to = radians(latitude2)
  const u = sin((to - from) / 2)
  return 2 * EARTH_RADIUS * asin(Math.sqrt(u * u + cos(from) * cos(to) * v * v))
}

/** The same to about a meter, which is enough for nearly all that is far away. */
export function roughDistance(longitude1: number, latitude1: number, longitude2: number, latitude2: number): number {
  const v = Math.sin((radians(longitude2) - radians(longitude1)) / 2)
  const from = radians(latitude1)
  const to = radians(latitude2)
  const u = Math.sin((to - from) / 2)
  return 2 * EARTH_RADIUS * Math.asin(Math.sqrt(u * u + Math.cos(from) * Math.cos(to) * v * v))
}

/** The unit's length in meters; undefined after the error. */
export function unitArgument(call: Call, i: number): number | undefined {
  const { args } = call
  if (args.is(i, 'M')) return 1
  if (args.is(i, 'KM')) return 1000
  if (args.is(i, 'FT')) return 0.3048
  if (args.is(i, 'MI')) return 1609.34
  call.error('ERR unsupported unit provided. please use M, KM, FT, MI')
  return undefined
}
