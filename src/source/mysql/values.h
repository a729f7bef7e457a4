// Readers of values: of a row of the binary log, of a row of a prepared statement, or of both where
// they are alike. DecodeFunction says what each gives.
//
// In the binary log (sql/field.cc, "pack", and strings/decimal.c of the server):
//   integers    little-endian, of 1, 2, 3, 4 or 8 bytes
//   DECIMAL     big-endian groups of nine digits in four bytes, a shorter group first before and
//   last
//               behind the point; the highest bit is inverted, and all bits of a negative number
//   YEAR        a byte: 0, or years since 1900
//   DATE        three bytes, little-endian: day 5 bits, month 4 bits, year
//   DATETIME    big-endian from 0x8000000000: second 6 bits, minute 6, hour 5, day 5, year * 13 +
//               month; then the fraction, big-endian, in (decimals + 1) / 2 bytes
//   TIMESTAMP   big-endian seconds of UTC, and the fraction; 0 is the date 0000-00-00
//   TIME        big-endian from 0x800000: second 6 bits, minute 6, hour; and the fraction: of a
//               negative one, the whole is the two's complement
//   BIT         big-endian; ENUM the value's place from 1; SET a bit a value
//   strings     their length in front; so has a VECTOR, whose floats are little-endian
//
// In a prepared statement's row (protocol, "Binary Protocol Value"): integers and floats alike but
// of 2 or 4 bytes for 3; dates and times as a length and as many of their parts as are not 0;
// DECIMAL, ENUM and SET as text.
#pragma once

#include "source/mysql/columns.h"

namespace biwa::mysql {

#define BIWA_DECODE_FUNCTION(name)                                                                 \
    bool name(const ColumnDecoder& decoder, std::string_view bytes, Cells& cells, std::size_t row, \
              DecodeContext& context)

BIWA_DECODE_FUNCTION(SignedToInt16);
BIWA_DECODE_FUNCTION(SignedToInt32);
BIWA_DECODE_FUNCTION(SignedToInt64);
BIWA_DECODE_FUNCTION(UnsignedToInt16);
BIWA_DECODE_FUNCTION(UnsignedToInt32);
BIWA_DECODE_FUNCTION(UnsignedToInt64);
BIWA_DECODE_FUNCTION(UnsignedToInt128);
BIWA_DECODE_FUNCTION(FloatValue);
BIWA_DECODE_FUNCTION(DoubleValue);
BIWA_DECODE_FUNCTION(BitToBool);
BIWA_DECODE_FUNCTION(BitToInt64);
BIWA_DECODE_FUNCTION(BitToInt128);
BIWA_DECODE_FUNCTION(BinlogYear);
BIWA_DECODE_FUNCTION(BinlogDecimal);
BIWA_DECODE_FUNCTION(BinlogDecimalText);
BIWA_DECODE_FUNCTION(ResultDecimal);
BIWA_DECODE_FUNCTION(BinlogDate);
BIWA_DECODE_FUNCTION(ResultDate);
BIWA_DECODE_FUNCTION(BinlogDateTime);     // DATETIME2
BIWA_DECODE_FUNCTION(BinlogDateTimeOld);  // from before MySQL 5.6: a decimal number
BIWA_DECODE_FUNCTION(ResultDateTime);     // also TIMESTAMP
BIWA_DECODE_FUNCTION(BinlogTimestamp);
BIWA_DECODE_FUNCTION(BinlogTimestampOld);
BIWA_DECODE_FUNCTION(BinlogTime);
BIWA_DECODE_FUNCTION(BinlogTimeOld);
BIWA_DECODE_FUNCTION(ResultTime);
BIWA_DECODE_FUNCTION(BinlogEnum);
BIWA_DECODE_FUNCTION(BinlogSet);
BIWA_DECODE_FUNCTION(Bytes);
BIWA_DECODE_FUNCTION(BinlogPaddedBytes);  // BINARY: zeros at its end are left out
BIWA_DECODE_FUNCTION(BinlogText);
BIWA_DECODE_FUNCTION(ResultText);
BIWA_DECODE_FUNCTION(BinlogCompressedBytes);  // of MariaDB's COMPRESSED columns
BIWA_DECODE_FUNCTION(BinlogCompressedText);   //
BIWA_DECODE_FUNCTION(Vector);
BIWA_DECODE_FUNCTION(BinlogJson);
BIWA_DECODE_FUNCTION(BinlogUuid);
BIWA_DECODE_FUNCTION(ResultUuid);
BIWA_DECODE_FUNCTION(BinlogInet);

// Bytes of a DECIMAL in the binary log.
std::size_t DecimalBytes(int precision, int scale);

}  // namespace biwa::mysql
