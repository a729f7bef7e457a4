// An encapsulated message is: 0xFFFFFFFF, the metadata's size as int32 (a multiple of 8), the
// metadata (a flatbuffer with a Message at its root), the body. The stream is a schema, batches,
// and an end: 0xFFFFFFFF 0x00000000. All little-endian.
//
// The flatbuffers are written by field number. The numbers, in the order of declaration, are those
// of the Arrow project's format/Message.fbs and format/Schema.fbs (metadata version V5).
#include "query/arrow_stream.h"

#include <flatbuffers/flatbuffers.h>

#include <bit>
#include <string_view>
#include <utility>

namespace biwa {

namespace {

static_assert(std::endian::native == std::endian::little);

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;
using Table = Offset<void>;

constexpr std::int16_t kMetadataV5 = 4;
constexpr std::size_t kAlignment = 8;

// union MessageHeader
enum class Header : std::uint8_t { kSchema = 1, kRecordBatch = 3 };

// union Type
enum class ArrowType : std::uint8_t {
    kInt = 2,
    kFloatingPoint = 3,
    kBinary = 4,
    kUtf8 = 5,
    kBool = 6,
    kDecimal = 7,
    kDate = 8,
    kTime = 9,
    kTimestamp = 10,
    kList = 12,
};

// enum Precision, DateUnit, TimeUnit
constexpr std::int16_t kSingle = 1;
constexpr std::int16_t kDouble = 2;
constexpr std::int16_t kDay = 0;
constexpr std::int16_t kMicrosecond = 2;

// struct FieldNode and struct Buffer: two int64 each.
struct Pair {
    std::int64_t first;
    std::int64_t second;
};

constexpr flatbuffers::voffset_t Slot(int field) {
    return static_cast<flatbuffers::voffset_t>(4 + 2 * field);
}

// A table of scalar fields, each written even where it equals the format's default.
class TableBuilder {
  public:
    explicit TableBuilder(FlatBufferBuilder& builder)
        : builder_(builder), start_(builder.StartTable()) {}
    template <typename T>
    TableBuilder& Scalar(int field, T value) {
        builder_.AddElement(Slot(field), value);
        return *this;
    }
    template <typename T>
    TableBuilder& Reference(int field, Offset<T> offset) {
        builder_.AddOffset(Slot(field), offset);
        return *this;
    }
    Table End() { return Table(builder_.EndTable(start_)); }

  private:
    FlatBufferBuilder& builder_;
    flatbuffers::uoffset_t start_;
};

std::pair<ArrowType, Table> WriteInt(FlatBufferBuilder& builder, std::int32_t bits) {
    const bool is_signed = true;
    return {ArrowType::kInt, TableBuilder(builder)
                                 .Scalar(0, bits)
                                 .Scalar(1, static_cast<std::uint8_t>(is_signed))
                                 .End()};
}

std::pair<ArrowType, Table> WriteDecimal(FlatBufferBuilder& builder, std::int32_t precision,
                                         std::int32_t scale) {
    const std::int32_t bits = 128;
    return {ArrowType::kDecimal,
            TableBuilder(builder).Scalar(0, precision).Scalar(1, scale).Scalar(2, bits).End()};
}

std::pair<ArrowType, Table> WriteUnit(FlatBufferBuilder& builder, ArrowType type,
                                      std::int16_t unit) {
    return {type, TableBuilder(builder).Scalar(0, unit).End()};
}

std::pair<ArrowType, Table> WriteType(FlatBufferBuilder& builder, const Type& type) {
    switch (type.id) {
        case TypeId::kBool:
            return {ArrowType::kBool, TableBuilder(builder).End()};
        case TypeId::kInt16:
            return WriteInt(builder, 16);
        case TypeId::kInt32:
            return WriteInt(builder, 32);
        case TypeId::kInt64:
            return WriteInt(builder, 64);
        case TypeId::kInt128:
            return WriteDecimal(builder, 38, 0);
        case TypeId::kDecimal:
            return WriteDecimal(builder, type.width, type.scale);
        case TypeId::kFloat:
            return WriteUnit(builder, ArrowType::kFloatingPoint, kSingle);
        case TypeId::kDouble:
            return WriteUnit(builder, ArrowType::kFloatingPoint, kDouble);
        case TypeId::kBytes:
            return {ArrowType::kBinary, TableBuilder(builder).End()};
        case TypeId::kDate:
            return WriteUnit(builder, ArrowType::kDate, kDay);
        case TypeId::kTime: {
            const std::int32_t bits = 64;
            return {ArrowType::kTime,
                    TableBuilder(builder).Scalar(0, kMicrosecond).Scalar(1, bits).End()};
        }
        case TypeId::kTimestamp:
            return WriteUnit(builder, ArrowType::kTimestamp, kMicrosecond);
        case TypeId::kTimestampTz: {
            const auto zone = builder.CreateString("UTC");
            return {ArrowType::kTimestamp,
                    TableBuilder(builder).Scalar(0, kMicrosecond).Reference(1, zone).End()};
        }
        case TypeId::kList:
            return {ArrowType::kList, TableBuilder(builder).End()};
        case TypeId::kText:
        case TypeId::kJson:
        case TypeId::kInterval:
        case TypeId::kUuid:
            break;
    }
    return {ArrowType::kUtf8, TableBuilder(builder).End()};
}

// Field { name, nullable, type_type, type, dictionary, children }
Table WriteField(FlatBufferBuilder& builder, std::string_view name, const Type& type) {
    std::vector<Table> children;
    if (type.id == TypeId::kList) children.push_back(WriteField(builder, "item", *type.element));
    const auto children_vector = builder.CreateVector(children);
    const auto name_text = builder.CreateString(name.data(), name.size());
    const auto written = WriteType(builder, type);
    const bool nullable = true;
    return TableBuilder(builder)
        .Reference(0, name_text)
        .Scalar(1, static_cast<std::uint8_t>(nullable))
        .Scalar(2, static_cast<std::uint8_t>(written.first))
        .Reference(3, written.second)
        .Reference(5, children_vector)
        .End();
}

// Message { version, header_type, header, bodyLength }, and what stands before it.
std::string FinishMessage(FlatBufferBuilder& builder, Header header_type, Table header,
                          std::int64_t body_bytes) {
    builder.Finish(TableBuilder(builder)
                       .Scalar(0, kMetadataV5)
                       .Scalar(1, static_cast<std::uint8_t>(header_type))
                       .Reference(2, header)
                       .Scalar(3, body_bytes)
                       .End());
    const auto padded = (builder.GetSize() + kAlignment - 1) / kAlignment * kAlignment;
    const auto size = static_cast<std::int32_t>(padded);
    std::string message("\xff\xff\xff\xff", 4);
    message.append(reinterpret_cast<const char*>(&size), sizeof size);
    message.append(reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize());
    message.resize(message.size() + padded - builder.GetSize());
    return message;
}

// Schema { endianness, fields }
std::string SchemaMessage(const std::vector<Column>& columns) {
    FlatBufferBuilder builder;
    builder.ForceDefaults(true);
    std::vector<Table> fields;
    fields.reserve(columns.size());
    for (const auto& column : columns) {
        fields.push_back(WriteField(builder, column.name, column.type));
    }
    const auto fields_vector = builder.CreateVector(fields);
    const std::int16_t little = 0;
    const auto schema = TableBuilder(builder).Scalar(0, little).Reference(1, fields_vector).End();
    return FinishMessage(builder, Header::kSchema, schema, 0);
}

// Fields and buffers of nested columns follow their parent's, depth first.
void Gather(const ArrowColumn& column, std::vector<Pair>& nodes, std::vector<Pair>& places,
            std::string& body) {
    nodes.push_back({static_cast<std::int64_t>(column.length()),
                     static_cast<std::int64_t>(column.null_count())});
    for (const auto& buffer : column.Buffers()) {
        places.push_back(
            {static_cast<std::int64_t>(body.size()), static_cast<std::int64_t>(buffer.bytes)});
        if (buffer.bytes > 0) body.append(static_cast<const char*>(buffer.data), buffer.bytes);
        body.resize((body.size() + kAlignment - 1) / kAlignment * kAlignment);
    }
    if (column.child() != nullptr) Gather(*column.child(), nodes, places, body);
}

// RecordBatch { length, nodes, buffers }
std::string BatchMessage(std::size_t rows, const std::vector<Pair>& nodes,
                         const std::vector<Pair>& places, std::size_t body_bytes) {
    FlatBufferBuilder builder;
    builder.ForceDefaults(true);
    const auto write_pairs = [&](const std::vector<Pair>& pairs) {
        builder.StartVector(pairs.size() * 2, sizeof(std::int64_t));
        for (auto pair = pairs.rbegin(); pair != pairs.rend(); ++pair) {
            builder.PushElement(pair->second);
            builder.PushElement(pair->first);
        }
        return Offset<void>(builder.EndVector(pairs.size()));
    };
    const auto nodes_vector = write_pairs(nodes);
    const auto places_vector = write_pairs(places);
    const auto batch = TableBuilder(builder)
                           .Scalar(0, static_cast<std::int64_t>(rows))
                           .Reference(1, nodes_vector)
                           .Reference(2, places_vector)
                           .End();
    return FinishMessage(builder, Header::kRecordBatch, batch,
                         static_cast<std::int64_t>(body_bytes));
}

}  // namespace

Status ArrowSink::Begin(const std::vector<Column>& columns) {
    columns_ = columns;
    schema_ = SchemaMessage(columns);
    for (const auto& column : columns_) batch_.emplace_back(column.type);
    return {};
}

Status ArrowSink::Block(const RowBlock& block) {
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < block.columns.size(); ++i) {
        BIWA_TRY(batch_[i].Append(block.columns[i], 0, block.rows));
        bytes += batch_[i].bytes();
    }
    rows_ += block.rows;
    if (rows_ < kBatchRows && bytes < kBatchBytes) return {};
    return FlushBatch();
}

Status ArrowSink::End(const QueryStats&) {
    if (rows_ > 0) BIWA_TRY(FlushBatch());
    silent_ = false;
    return output_(schema_ + std::string("\xff\xff\xff\xff\0\0\0\0", 8));
}

Status ArrowSink::FlushBatch() {
    std::vector<Pair> nodes;
    std::vector<Pair> places;
    std::string body;
    for (const auto& column : batch_) Gather(column, nodes, places, body);
    std::string message = std::exchange(schema_, {});
    message += BatchMessage(rows_, nodes, places, body.size());
    batch_.clear();
    for (const auto& column : columns_) batch_.emplace_back(column.type);
    rows_ = 0;
    silent_ = false;
    BIWA_TRY(output_(message));
    return output_(body);
}

}  // namespace biwa
