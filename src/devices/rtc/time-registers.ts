/**
 * The time and alarm bytes of an MC146818 in its four formats: BCD or binary, 12 or 24 hours.
 * Motorola MC146818 data sheet (1984), table "Time, Calendar, and Alarm Data Modes"; the century byte
 * lies where the ACPI FADT says.
 */

/** Register B: formats. */
export const RTC_B_24_HOURS = 0x02;
export const RTC_B_BINARY = 0x04;

export const RTC_SECONDS = 0x00;
export const RTC_SECONDS_ALARM = 0x01;
export const RTC_MINUTES = 0x02;
export const RTC_MINUTES_ALARM = 0x03;
export const RTC_HOURS = 0x04;
export const RTC_HOURS_ALARM = 0x05;
export const RTC_WEEKDAY = 0x06;
export const RTC_DAY = 0x07;
export const RTC_MONTH = 0x08;
export const RTC_YEAR = 0x09;
export const RTC_CENTURY = 0x32;

/** Registers that hold the time, in the order of `encodeTime`. */
export const TIME_REGISTERS: readonly number[] = [
  RTC_SECONDS,
  RTC_MINUTES,
  RTC_HOURS,
  RTC_WEEKDAY,
  RTC_DAY,
  RTC_MONTH,
  RTC_YEAR,
  RTC_CENTURY,
];

const PM = 0x80;
const DONT_CARE = 0xc0;

function encode(value: number, format: number): number {
  // A guest can set a century beyond 99, which two BCD digits do not hold.
  const code = format & RTC_B_BINARY ? value : (Math.floor(value / 10) << 4) | (value % 10);
  return code & 0xff;
}

function decode(value: number, format: number): number {
  return format & RTC_B_BINARY ? value : (value >> 4) * 10 + (value & 0x0f);
}

function encodeHour(hour: number, format: number): number {
  if (format & RTC_B_24_HOURS) return encode(hour, format);
  return encode(hour % 12 || 12, format) | (hour >= 12 ? PM : 0);
}

function decodeHour(value: number, format: number): number {
  if (format & RTC_B_24_HOURS) return decode(value, format);
  return (decode(value & ~PM, format) % 12) + (value & PM ? 12 : 0);
}

/** The time registers at `milliseconds` since 1970 UTC. */
export function encodeTime(milliseconds: number, format: number): number[] {
  const date = new Date(milliseconds);
  const year = date.getUTCFullYear();
  return [
    encode(date.getUTCSeconds(), format),
    encode(date.getUTCMinutes(), format),
    encodeHour(date.getUTCHours(), format),
    date.getUTCDay() + 1,
    encode(date.getUTCDate(), format),
    encode(date.getUTCMonth() + 1, format),
    encode(year % 100, format),
    encode(Math.floor(year / 100), format),
  ];
}

/** Milliseconds since 1970 UTC of time registers, or undefined when they name no date. */
export function decodeTime(registers: readonly number[], format: number): number | undefined {
  const [second, minute, hour, , day, month, year, century] = registers as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const fullYear = decode(century, format) * 100 + decode(year, format);
  const milliseconds = Date.UTC(
    fullYear,
    decode(month, format) - 1,
    decode(day, format),
    decodeHour(hour, format),
    decode(minute, format),
    decode(second, format),
  );
  // Date.UTC takes years below 100 for the twentieth century.
  return Number.isNaN(milliseconds) || fullYear < 100 ? undefined : milliseconds;
}

/** The first second after `after` (both in seconds since 1970) that the alarm names, if any does. */
export function nextAlarm(
  after: number,
  alarm: { readonly second: number; readonly minute: number; readonly hour: number },
  format: number,
): number | undefined {
  const matches = (register: number, value: number, isHour: boolean) =>
    register >= DONT_CARE ||
    (isHour ? decodeHour(register, format) : decode(register, format)) === value;
  let time = after + 1;
  // At most 24 hours, 60 minutes and 60 seconds are looked at, one hour and minute twice.
  for (let step = 0; step < 24 + 60 + 60 + 2; step++) {
    if (!matches(alarm.hour, Math.floor(time / 3600) % 24, true)) {
      time = (Math.floor(time / 3600) + 1) * 3600;
    } else if (!matches(alarm.minute, Math.floor(time / 60) % 60, false)) {
      time = (Math.floor(time / 60) + 1) * 60;
    } else if (!matches(alarm.second, time % 60, false)) {
      time++;
    } else {
      return time;
    }
  }
  return undefined;
}
