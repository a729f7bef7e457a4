#include "source/mysql/binlog_events.h"

#include <fmt/format.h>
#include <libdeflate.h>

#include <bit>

#include "source/mysql/byte_reader.h"
#include "source/mysql/compressed.h"

namespace biwa::mysql {

namespace {

constexpr std::size_t kHeaderBytes = 19;
constexpr std::size_t kChecksumBytes = 4;

tl::unexpected<Error> CutOff(std::string_view what) {
    return Corrupt(fmt::format("a {} event of the binary log is cut off or too long", what));
}

std::uint32_t Checksum(std::string_view bytes) {
    return libdeflate_crc32(0, bytes.data(), bytes.size());
}

bool Bit(std::string_view bits, std::size_t i) {
    return (static_cast<unsigned char>(bits[i / 8]) >> (i % 8) & 1) != 0;
}

// Of which the metadata says whether they are unsigned: YEAR too, which MariaDB says is and MySQL
// says is not.
bool IsNumeric(FieldType type) {
    switch (type) {
        case FieldType::kYear:
        case FieldType::kTiny:
        case FieldType::kShort:
        case FieldType::kInt24:
        case FieldType::kLong:
        case FieldType::kLongLong:
        case FieldType::kFloat:
        case FieldType::kDouble:
        case FieldType::kDecimal:
            return true;
        default:
            return false;
    }
}

bool IsCharacter(FieldType type) {
    switch (type) {
        case FieldType::kVarchar:
        case FieldType::kVarString:
        case FieldType::kString:
        case FieldType::kBlob:
        case FieldType::kBlobCompressed:
        case FieldType::kVarcharCompressed:
            return true;
        default:
            return false;
    }
}

bool IsEnumOrSet(FieldType type) { return type == FieldType::kEnum || type == FieldType::kSet; }

Status ReadColumnType(std::uint8_t code, ByteReader& metadata, MappedColumn& column) {
    column.type = static_cast<FieldType>(code);
    switch (column.type) {
        case FieldType::kTiny:
        case FieldType::kShort:
        case FieldType::kLong:
        case FieldType::kTimestamp:
        case FieldType::kLongLong:
        case FieldType::kInt24:
        case FieldType::kDate:
        case FieldType::kTime:
        case FieldType::kDateTime:
        case FieldType::kYear:
            return {};
        case FieldType::kFloat:
        case FieldType::kDouble:
            column.meta = metadata.Number<std::uint8_t>();
            return {};
        case FieldType::kTimestamp2:
        case FieldType::kDateTime2:
        case FieldType::kTime2:
            column.meta = metadata.Number<std::uint8_t>();
            if (column.meta > 6) break;
            return {};
        case FieldType::kBlob:
        case FieldType::kBlobCompressed:
        case FieldType::kGeometry:
        case FieldType::kJson:
        case FieldType::kVector:
            column.meta = metadata.Number<std::uint8_t>();
            if (column.meta < 1 || column.meta > 4) break;
            return {};
        case FieldType::kVarchar:
        case FieldType::kVarcharCompressed:
            column.meta = metadata.Number<std::uint16_t>();
            return {};
        case FieldType::kBit: {
            const auto bits = metadata.Number<std::uint8_t>();
            const auto bytes = metadata.Number<std::uint8_t>();
            column.meta = static_cast<std::uint16_t>(bytes * 8 + bits);
            if (column.meta < 1 || column.meta > 64) break;
            return {};
        }
        case FieldType::kDecimal: {
            const auto precision = metadata.Number<std::uint8_t>();
            const auto scale = metadata.Number<std::uint8_t>();
            column.meta = static_cast<std::uint16_t>(precision << 8 | scale);
            return {};
        }
        case FieldType::kEnum:
        case FieldType::kSet:
        case FieldType::kVarString:
        case FieldType::kString: {
            // The real type, in which two bits of a length above 255 are hidden, inverted.
            const auto type = metadata.Number<std::uint8_t>();
            const auto length = metadata.Number<std::uint8_t>();
            column.type = static_cast<FieldType>(type | 0x30);
            column.meta = static_cast<std::uint16_t>(length | ((type & 0x30) ^ 0x30) << 4);
            if (column.type == FieldType::kEnum && (length < 1 || length > 2)) break;
            if (column.type == FieldType::kSet && (length < 1 || length > 8)) break;
            if (IsEnumOrSet(column.type) || column.type == FieldType::kString ||
                column.type == FieldType::kVarString) {
                return {};
            }
            break;
        }
    }
    return Corrupt(fmt::format("a table map has a column of a type that is not known ({})", code));
}

// Numbers of the optional metadata of a table map.
enum class OptionalField : std::uint8_t {
    kSignedness = 1,
    kDefaultCharset = 2,
    kColumnCharset = 3,
    kColumnName = 4,
    kSetValues = 5,
    kEnumValues = 6,
    kKey = 8,
    kKeyOfPrefixes = 9,
    kEnumAndSetDefaultCharset = 10,
    kEnumAndSetColumnCharset = 11,
};

// Collations of the columns that `belongs` says, in their order: of each, or one for all with the
// exceptions.
template <typename Belongs>
void ReadCollations(bool with_default, ByteReader field, TableMap& map, const Belongs& belongs) {
    std::vector<MappedColumn*> columns;
    for (auto& column : map.columns) {
        if (belongs(column.type)) columns.push_back(&column);
    }
    if (!with_default) {
        for (auto* column : columns) {
            column->collation = static_cast<std::uint16_t>(field.Packed());
        }
        return;
    }
    const auto usual = static_cast<std::uint16_t>(field.Packed());
    for (auto* column : columns) column->collation = usual;
    while (field.ok() && !field.empty()) {
        const auto place = field.Packed();
        const auto collation = static_cast<std::uint16_t>(field.Packed());
        if (field.ok() && place < columns.size()) columns[place]->collation = collation;
    }
}

void ReadValues(FieldType type, ByteReader field, TableMap& map) {
    for (auto& column : map.columns) {
        if (column.type != type || field.empty()) continue;
        const auto count = field.Packed();
        for (std::uint64_t i = 0; i < count && field.ok() && !field.empty(); ++i) {
            column.values.emplace_back(field.PackedText());
        }
    }
}

Status ReadOptionalField(OptionalField kind, std::string_view bytes, TableMap& map) {
    ByteReader field(bytes);
    switch (kind) {
        case OptionalField::kSignedness: {
            std::size_t place = 0;
            for (auto& column : map.columns) {
                if (!IsNumeric(column.type)) continue;
                if (place / 8 >= bytes.size()) return CutOff("table map");
                // From the highest bit on, unlike the other bitmaps.
                column.is_unsigned =
                    (static_cast<unsigned char>(bytes[place / 8]) >> (7 - place % 8) & 1) != 0;
                ++place;
            }
            return {};
        }
        case OptionalField::kDefaultCharset:
        case OptionalField::kColumnCharset:
            ReadCollations(kind == OptionalField::kDefaultCharset, field, map, IsCharacter);
            return {};
        case OptionalField::kKey:
        case OptionalField::kKeyOfPrefixes:
            while (field.ok() && !field.empty()) {
                const auto column = field.Packed();
                if (column >= map.columns.size()) return CutOff("table map");
                map.key.push_back(column);
                // How many characters of it: those are unique, and so is all of it.
                if (kind == OptionalField::kKeyOfPrefixes) field.Packed();
            }
            return {};
        case OptionalField::kEnumAndSetDefaultCharset:
        case OptionalField::kEnumAndSetColumnCharset:
            ReadCollations(kind == OptionalField::kEnumAndSetDefaultCharset, field, map,
                           IsEnumOrSet);
            return {};
        case OptionalField::kColumnName:
            for (auto& column : map.columns) column.name = field.PackedText();
            if (!field.at_end()) return CutOff("table map");
            map.has_names = true;
            return {};
        case OptionalField::kSetValues:
            ReadValues(FieldType::kSet, field, map);
            return {};
        case OptionalField::kEnumValues:
            ReadValues(FieldType::kEnum, field, map);
            return {};
    }
    return {};  // kinds of geometries, visibility: of no use here
}

}  // namespace

Result<Event> ReadEvent(std::string_view bytes, bool checksums) {
    ByteReader reader(bytes);
    Event event;
    event.time_s = reader.Number<std::uint32_t>();
    event.type = static_cast<EventType>(reader.Number<std::uint8_t>());
    event.server_id = reader.Number<std::uint32_t>();
    const auto size = reader.Number<std::uint32_t>();
    event.end = reader.Number<std::uint32_t>();
    event.flags = reader.Number<std::uint16_t>();
    // Its own checksum is there whatever it says of the others.
    const bool is_format = event.type == EventType::kFormatDescription;
    const std::size_t behind = checksums || is_format ? kChecksumBytes : 0;
    if (!reader.ok() || size != bytes.size() || size < kHeaderBytes + behind) {
        return Corrupt("an event of the binary log is cut off");
    }
    event.body = bytes.substr(kHeaderBytes, size - kHeaderBytes - behind);
    if (checksums && !is_format) {
        const auto stored = LoadLittleEndian(bytes.data() + size - behind, behind);
        if (stored != Checksum(bytes.substr(0, size - behind))) {
            return Corrupt(fmt::format(
                "the checksum of an event of the binary log is wrong (type {}, ending at {})",
                static_cast<int>(event.type), event.end));
        }
    }
    return event;
}

Result<Format> ReadFormatDescription(std::string_view body) {
    ByteReader reader(body);
    const auto version = reader.Number<std::uint16_t>();
    reader.Bytes(50);
    reader.Bytes(4);
    const auto header = reader.Number<std::uint8_t>();
    const auto sizes = reader.TakeRest();
    if (!reader.ok() || sizes.size() < 40) return CutOff("format description");
    if (version != 4 || header != kHeaderBytes) {
        return Corrupt(fmt::format("the binary log is of version {}; 4 was expected", version));
    }
    const auto table_map = static_cast<std::size_t>(EventType::kTableMap);
    if (sizes[table_map - 1] != 8) {
        return Corrupt("the server is older than MySQL 5.1: its tables have short numbers");
    }
    const auto checksum = sizes.back();
    if (checksum != 0 && checksum != 1) {
        return Corrupt(fmt::format("events have checksums of unknown kind {}", int{checksum}));
    }
    return Format{checksum == 1};
}

Result<Rotate> ReadRotate(std::string_view body) {
    ByteReader reader(body);
    Rotate rotate;
    rotate.offset = reader.Number<std::uint64_t>();
    rotate.file = reader.TakeRest();
    if (!reader.ok() || rotate.file.empty()) return CutOff("rotate");
    return rotate;
}

namespace {

// The number of a collation of the client's character set, and what its sql_mode makes of texts, in
// the variables of a QUERY: each is a
// code and what it says. Those of other codes come behind it.
std::optional<std::uint16_t> ClientCollation(std::string_view variables, bool& has_backslashes) {
    constexpr std::uint64_t kNoBackslashEscapes = 1 << 20;
    ByteReader reader(variables);
    while (!reader.empty()) {
        switch (reader.Number<std::uint8_t>()) {
            case 0:  // flags
            case 3:  // AUTO_INCREMENT
                reader.Bytes(4);
                break;
            case 1:  // sql_mode
                has_backslashes = (reader.Number<std::uint64_t>() & kNoBackslashEscapes) == 0;
                break;
            case 2:  // the catalog, with a zero byte
                reader.Bytes(reader.Number<std::uint8_t>() + std::size_t{1});
                break;
            case 5:  // the time zone
            case 6:  // the catalog
                reader.Bytes(reader.Number<std::uint8_t>());
                break;
            case 7:  // lc_time_names
            case 8:  // the database's collation
                reader.Bytes(2);
                break;
            case 4: {
                const auto collation = reader.Number<std::uint16_t>();
                return reader.ok() ? std::optional(collation) : std::nullopt;
            }
            default:
                return std::nullopt;
        }
    }
    return std::nullopt;
}

}  // namespace

Result<Query> ReadQuery(const Event& event) {
    ByteReader reader(event.body);
    reader.Bytes(8);
    const auto database_length = reader.Number<std::uint8_t>();
    Query query;
    query.error = reader.Number<std::uint16_t>();
    const auto status_length = reader.Number<std::uint16_t>();
    // Which file was loaded, where its name stands in the statement, and what became of rows that
    // were there.
    if (event.type == EventType::kExecuteLoadQuery) reader.Bytes(4 + 4 + 4 + 1);
    query.client_collation = ClientCollation(reader.Bytes(status_length), query.has_backslashes);
    query.database = reader.Bytes(database_length);
    reader.Bytes(1);
    const auto statement = reader.TakeRest();
    if (!reader.ok()) return CutOff("query");
    if (event.type == EventType::kQueryCompressed) {
        BIWA_TRY(Uncompress(statement, query.statement));
    } else {
        query.statement = statement;
    }
    return query;
}

Result<Gtid> ReadGtid(const Event& event) {
    ByteReader reader(event.body);
    Gtid gtid;
    gtid.number = reader.Number<std::uint64_t>();
    gtid.domain = reader.Number<std::uint32_t>();
    gtid.flags = reader.Number<std::uint8_t>();
    gtid.server = event.server_id;
    if (!reader.ok()) return CutOff("GTID");
    // https://mariadb.com/kb/en/gtid_event/: more is there by the flags, then flags again. What is
    // padded there is zeros.
    constexpr std::uint8_t kHasCommitId = 0x02, kIsXa = 0x40 | 0x80;
    constexpr std::uint8_t kAlterBegun = 0x02, kAlterUndone = 0x08;
    if ((gtid.flags & kHasCommitId) != 0) reader.Bytes(8);
    if ((gtid.flags & kIsXa) != 0) {
        reader.Bytes(4);
        const auto global = reader.Number<std::uint8_t>();
        const auto branch = reader.Number<std::uint8_t>();
        reader.Bytes(std::size_t{global} + branch);
    }
    const auto more = reader.Number<std::uint8_t>();
    gtid.is_undone_alter = reader.ok() && (more & (kAlterBegun | kAlterUndone)) != 0;
    return gtid;
}

namespace {

std::string UuidText(std::string_view uuid) {
    std::string text;
    for (std::size_t i = 0; i < uuid.size(); ++i) {
        text += fmt::format("{}{:02x}", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                            static_cast<unsigned char>(uuid[i]));
    }
    return text;
}

}  // namespace

Result<MySqlGtid> ReadMySqlGtid(std::string_view body) {
    ByteReader reader(body);
    reader.Bytes(1);
    const auto uuid = reader.Bytes(16);
    MySqlGtid gtid;
    gtid.number = reader.Number<std::uint64_t>();
    if (!reader.ok()) return CutOff("GTID");
    gtid.uuid = UuidText(uuid);
    return gtid;
}

Result<MySqlGtid> ReadMySqlTaggedGtid(std::string_view body) {
    ByteReader reader(body);
    const auto number = [&]() -> std::uint64_t {
        const auto first = reader.Number<std::uint8_t>();
        const auto more = static_cast<std::size_t>(std::countr_one(first));
        if (more >= 7) return reader.Number(more);  // nothing of the value is in the first byte
        return first >> (more + 1) | reader.Number(more) << (7 - more);
    };
    const auto field = [&](std::uint64_t id) {
        if (number() != id) reader.Fail();
    };
    for (int i = 0; i < 3; ++i) number();
    field(0);
    number();
    field(1);
    std::string uuid;
    for (int i = 0; i < 16; ++i) uuid += static_cast<char>(number());
    field(2);
    MySqlGtid gtid;
    gtid.number = number() >> 1;
    field(3);
    const auto tag = reader.Bytes(number());
    if (!reader.ok()) return CutOff("GTID");
    gtid.uuid = UuidText(uuid);
    if (!tag.empty()) gtid.uuid.append(":").append(tag);
    return gtid;
}

Result<TableMap> ReadTableMap(std::string_view body) {
    ByteReader reader(body);
    TableMap map;
    map.id = reader.Number(6);
    reader.Bytes(2);
    map.schema = reader.Bytes(reader.Number<std::uint8_t>());
    reader.Bytes(1);
    map.table = reader.Bytes(reader.Number<std::uint8_t>());
    reader.Bytes(1);
    const auto count = reader.Packed();
    const auto types = reader.Bytes(count);
    ByteReader metadata(reader.Bytes(reader.Packed()));
    const auto nullable = reader.Bytes((count + 7) / 8);
    if (!reader.ok()) return CutOff("table map");
    map.columns.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
        map.columns[i].nullable = Bit(nullable, i);
        BIWA_TRY(ReadColumnType(static_cast<std::uint8_t>(types[i]), metadata, map.columns[i]));
    }
    if (!metadata.at_end()) return CutOff("table map");
    while (reader.ok() && !reader.empty()) {
        const auto kind = static_cast<OptionalField>(reader.Number<std::uint8_t>());
        const auto field = reader.PackedText();
        if (!reader.ok()) return CutOff("table map");
        BIWA_TRY(ReadOptionalField(kind, field, map));
    }
    return map;
}

bool IsRowsEvent(EventType type) {
    switch (type) {
        case EventType::kWriteRowsV1:
        case EventType::kUpdateRowsV1:
        case EventType::kDeleteRowsV1:
        case EventType::kWriteRows:
        case EventType::kUpdateRows:
        case EventType::kDeleteRows:
        case EventType::kWriteRowsCompressedV1:
        case EventType::kUpdateRowsCompressedV1:
        case EventType::kDeleteRowsCompressedV1:
        case EventType::kWriteRowsCompressed:
        case EventType::kUpdateRowsCompressed:
        case EventType::kDeleteRowsCompressed:
            return true;
        default:
            return false;
    }
}

Result<std::uint64_t> ReadRowsTable(const Event& event) {
    ByteReader reader(event.body);
    const auto table = reader.Number(6);
    if (!reader.ok()) return CutOff("rows");
    return table;
}

Result<RowsEvent> ReadRowsEvent(const Event& event, std::string& buffer) {
    const auto type = static_cast<int>(event.type);
    const bool is_compressed = type >= static_cast<int>(EventType::kWriteRowsCompressedV1);
    // Each family has WRITE, UPDATE and DELETE one after another.
    const int first =
        is_compressed ? static_cast<int>(type >= static_cast<int>(EventType::kWriteRowsCompressed)
                                             ? EventType::kWriteRowsCompressed
                                             : EventType::kWriteRowsCompressedV1)
                      : static_cast<int>(type >= static_cast<int>(EventType::kWriteRows)
                                             ? EventType::kWriteRows
                                             : EventType::kWriteRowsV1);
    const bool is_v2 = first == static_cast<int>(EventType::kWriteRows) ||
                       first == static_cast<int>(EventType::kWriteRowsCompressed);
    RowsEvent rows;
    rows.kind = static_cast<RowsKind>(type - first);
    ByteReader reader(event.body);
    rows.table = reader.Number(6);
    reader.Bytes(2);
    if (is_v2) {
        const auto extra = reader.Number<std::uint16_t>();
        if (extra < 2) return CutOff("rows");
        reader.Bytes(extra - 2U);
    }
    const auto columns = reader.Packed();
    const auto bitmap = (columns + 7) / 8;
    if (rows.kind != RowsKind::kWrite) rows.before_columns = reader.Bytes(bitmap);
    if (rows.kind != RowsKind::kDelete) rows.after_columns = reader.Bytes(bitmap);
    rows.columns = columns;
    rows.rows = reader.TakeRest();
    if (!reader.ok()) return CutOff("rows");
    if (is_compressed) rows.rows = BIWA_TRY(Uncompress(rows.rows, buffer));
    return rows;
}

}  // namespace biwa::mysql
