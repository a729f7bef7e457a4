// The events of the binary log (binlog version 4) of MySQL and MariaDB, as they come from the
// server: taken apart, with nothing known of tables but what they say themselves. Pure functions of
// bytes; bytes that are not of the format give kCorrupt.
//
//   header  uint32 time in seconds, uint8 type, uint32 server, uint32 size of all, uint32 place in
//           the file after the event (0: not in the file), uint16 flags; 19 bytes
//   body    by type, below
//   uint32  CRC-32 of all before it, when the file's FORMAT_DESCRIPTION says so
//
//   FORMAT_DESCRIPTION  uint16 version, 50 bytes of the server's version, uint32 time, uint8 size
//   of
//                       a header, uint8 for each type: size of the fixed part of its body; uint8
//                       checksums (0 none, 1 CRC-32), uint32 its own
//   ROTATE              uint64 place, the file's name
//   QUERY               uint32 thread, uint32 seconds, uint8 length of the database, uint16 error,
//                       uint16 length of variables; variables, database, 0, statement
//   XID                 uint64: a commit
//   GTID (MariaDB)      uint64 number, uint32 domain, uint8 flags
//   GTID (MySQL)        uint8 flags, 16 bytes of the server's UUID, uint64 number
//   GTID with a tag     fields by MySQL's serialization library (ReadMySqlTaggedGtid)
//   TABLE_MAP           uint48 table, uint16 flags, uint8 length, schema, 0, uint8 length, name, 0,
//                       packed columns, a type byte each, packed length, metadata of the types,
//                       a bit each whether it may be NULL; then, by binlog_row_metadata, what a
//                       byte, a packed length and that many bytes tell (OptionalField)
//   WRITE, UPDATE, DELETE_ROWS
//                       uint48 table, uint16 flags, [version 2: uint16 n, n - 2 bytes,] packed
//                       columns, a bit each whether it is there [an UPDATE: the same of the row
//                       after], rows; MariaDB's compressed kinds have the rows by zlib
//
// MariaDB Connector/C takes events apart too (mariadb_rpl.h). We do it anew because it trusts the
// lengths inside, knows nothing of version 2's extra data, and copies each value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace biwa::mysql {

enum class EventType : std::uint8_t {
    kQuery = 2,
    kStop = 3,
    kRotate = 4,
    kFormatDescription = 15,
    kXid = 16,
    kBeginLoadQuery = 17,
    kExecuteLoadQuery = 18,
    kTableMap = 19,
    kWriteRowsV1 = 23,
    kUpdateRowsV1 = 24,
    kDeleteRowsV1 = 25,
    kIncident = 26,
    kHeartbeat = 27,
    kWriteRows = 30,
    kUpdateRows = 31,
    kDeleteRows = 32,
    kMySqlGtid = 33,
    kMySqlAnonymousGtid = 34,
    kXaPrepare = 38,
    kPartialUpdateRows = 39,
    kTransactionPayload = 40,
    kHeartbeatV2 = 41,
    kMySqlTaggedGtid = 42,
    kGtid = 162,
    kGtidList = 163,
    kQueryCompressed = 165,
    kWriteRowsCompressedV1 = 166,
    kUpdateRowsCompressedV1 = 167,
    kDeleteRowsCompressedV1 = 168,
    kWriteRowsCompressed = 169,
    kUpdateRowsCompressed = 170,
    kDeleteRowsCompressed = 171,
};

struct Event {
    std::uint32_t time_s = 0;
    EventType type{};
    std::uint32_t server_id = 0;
    std::uint32_t end = 0;  // place in the file after it; 0 when it is not in the file
    std::uint16_t flags = 0;
    std::string_view body;  // without the checksum

    // Made up by the server for us, not in the file.
    bool is_artificial() const { return (flags & 0x20) != 0 || end == 0; }
    // Of a statement in which temporary tables stand: what has a table's name may be one.
    bool has_temporary_tables() const { return (flags & 0x04) != 0; }
    // A server that does not know such an event may pass it over.
    bool is_ignorable() const { return (flags & 0x80) != 0; }
};

// `checksums`: whether events end with one, as the last FORMAT_DESCRIPTION said. It is checked.
Result<Event> ReadEvent(std::string_view bytes, bool checksums);

struct Format {
    bool checksums = false;  // of the events that follow
};
Result<Format> ReadFormatDescription(std::string_view body);

struct Rotate {
    std::uint64_t offset = 0;
    std::string file;
};
Result<Rotate> ReadRotate(std::string_view body);

struct Query {
    std::string database;   // in UTF-8
    std::string statement;  // in the client's character set
    std::optional<std::uint16_t> client_collation;
    bool has_backslashes = true;  // that escape what follows them in a text (sql_mode)
    std::uint16_t error = 0;
};
Result<Query> ReadQuery(const Event& event);

struct Gtid {
    std::uint32_t domain = 0;
    std::uint32_t server = 0;  // the event's
    std::uint64_t number = 0;
    std::uint8_t flags = 0;

    // The one statement that follows is all of it; no commit comes.
    bool is_standalone() const { return (flags & 0x01) != 0; }
    // It has begun, or failed (MariaDB's binlog_alter_two_phase): what it says has not been done.
    bool is_undone_alter = false;
};
Result<Gtid> ReadGtid(const Event& event);

struct MySqlGtid {
    std::string
        uuid;  // "3e11fa47-71ca-11e1-9e33-c80aa9429562", behind it ":" and a tag if it has one
    std::uint64_t number = 0;
};
Result<MySqlGtid> ReadMySqlGtid(std::string_view body);
// Of MySQL 8.3 and later. Numbers are of as many bytes as the first one ends in ones, and one more;
// the value is above them, of signed numbers twice the value. Version, size, the last field that
// may not be skipped; then fields, each behind its number: 0 flags, 1 the UUID, a number a byte, 2
// the (signed) number, 3 the tag, a length and its bytes; others are behind.
Result<MySqlGtid> ReadMySqlTaggedGtid(std::string_view body);

// enum_field_types of the server; those that a table map can have.
enum class FieldType : std::uint8_t {
    kTiny = 1,
    kShort = 2,
    kLong = 3,
    kFloat = 4,
    kDouble = 5,
    kTimestamp = 7,
    kLongLong = 8,
    kInt24 = 9,
    kDate = 10,
    kTime = 11,
    kDateTime = 12,
    kYear = 13,
    kVarchar = 15,
    kBit = 16,
    kTimestamp2 = 17,
    kDateTime2 = 18,
    kTime2 = 19,
    kBlobCompressed = 140,     // MariaDB's COMPRESSED columns
    kVarcharCompressed = 141,  //
    kVector = 242,
    kJson = 245,
    kDecimal = 246,
    kEnum = 247,
    kSet = 248,
    kBlob = 252,
    kVarString = 253,
    kString = 254,
    kGeometry = 255,
};

// A column as the table map tells it.
struct MappedColumn {
    FieldType type{};  // ENUM and SET, which are sent as STRING, have their own
    // By type: most bytes of a STRING or VARCHAR; bytes of the length of a BLOB and its like, of an
    // ENUM or SET; bits of a BIT; precision << 8 | scale of a DECIMAL; decimals of seconds.
    std::uint16_t meta = 0;
    bool nullable = true;
    // Only as binlog_row_metadata has it.
    std::optional<bool> is_unsigned;
    std::optional<std::uint16_t> collation;  // its number; 63 is binary
    std::string name;
    std::vector<std::string> values;  // of an ENUM or SET

    friend bool operator==(const MappedColumn&, const MappedColumn&) = default;
};

struct TableMap {
    std::uint64_t id = 0;
    std::string schema;
    std::string table;
    std::vector<MappedColumn> columns;
    bool has_names = false;        // and with them all the rest: binlog_row_metadata is FULL
    std::vector<std::size_t> key;  // columns of the primary key, where there are names

    friend bool operator==(const TableMap&, const TableMap&) = default;
};
Result<TableMap> ReadTableMap(std::string_view body);

enum class RowsKind { kWrite, kUpdate, kDelete };

// Rows, still as bytes.
struct RowsEvent {
    RowsKind kind{};
    std::uint64_t table = 0;
    std::size_t columns = 0;
    // A bit a column, from the lowest of the first byte on.
    std::string_view before_columns;  // of a WRITE: empty
    std::string_view after_columns;   // of a DELETE: empty
    // For each row a bit for each column that is there, 1 when it is NULL; then the values.
    std::string_view rows;
};
bool IsRowsEvent(EventType type);
// `buffer` takes the rows of a compressed event; what is returned may point into it.
Result<RowsEvent> ReadRowsEvent(const Event& event, std::string& buffer);
// Only the table that it is of.
Result<std::uint64_t> ReadRowsTable(const Event& event);

}  // namespace biwa::mysql
