#include "database/copy_writer.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>

#include "base/check.h"

namespace biwa::examples {
namespace {

constexpr std::size_t kSendBytes = 256 << 10;
constexpr Micros kEpoch2000 = 946'684'800'000'000;
constexpr std::int32_t kEpoch2000Days = 10'957;
constexpr std::int32_t kTextOid = 25;

}  // namespace

template <typename Integer>
void CopyBuffer::Put(Integer value) {
    static_assert(std::endian::native == std::endian::little);
    char bytes[sizeof(Integer)];
    for (std::size_t i = 0; i < sizeof(Integer); ++i) {
        bytes[i] = static_cast<char>(value >> (8 * (sizeof(Integer) - 1 - i)));
    }
    bytes_.append(bytes, sizeof(Integer));
}

CopyBuffer::CopyBuffer() {
    bytes_.append("PGCOPY\n\377\r\n\0", 11);
    Put<std::int32_t>(0);  // flags
    Put<std::int32_t>(0);  // length of the header's extension
}

CopyBuffer& CopyBuffer::Row(int fields) {
    Put(static_cast<std::int16_t>(fields));
    return *this;
}
CopyBuffer& CopyBuffer::Null() {
    Put<std::int32_t>(-1);
    return *this;
}
CopyBuffer& CopyBuffer::Bool(bool value) {
    Put<std::int32_t>(1);
    bytes_.push_back(value ? 1 : 0);
    return *this;
}
CopyBuffer& CopyBuffer::Int16(std::int16_t value) {
    Put<std::int32_t>(2);
    Put(value);
    return *this;
}
CopyBuffer& CopyBuffer::Int32(std::int32_t value) {
    Put<std::int32_t>(4);
    Put(value);
    return *this;
}
CopyBuffer& CopyBuffer::Int64(std::int64_t value) {
    Put<std::int32_t>(8);
    Put(value);
    return *this;
}

// numeric_recv: count of base-10000 digits, weight of the first (in powers of 10000), sign, digits
// shown behind the point, digits.
CopyBuffer& CopyBuffer::Numeric(std::int64_t scaled, int scale) {
    const bool negative = scaled < 0;
    std::uint64_t rest =
        negative ? 0 - static_cast<std::uint64_t>(scaled) : static_cast<std::uint64_t>(scaled);
    // Fill up so that the point falls between two base-10000 digits.
    const int groups_behind = (scale + 3) / 4;
    for (int i = scale; i < groups_behind * 4; ++i) {
        BIWA_CHECK(rest < UINT64_MAX / 10);
        rest *= 10;
    }
    std::int16_t digits[8];
    int count = 0;
    for (; rest != 0; rest /= 10'000) digits[count++] = static_cast<std::int16_t>(rest % 10'000);

    Put<std::int32_t>(8 + 2 * count);
    Put(static_cast<std::int16_t>(count));
    Put(static_cast<std::int16_t>(count - 1 - groups_behind));
    Put<std::int16_t>(negative ? 0x4000 : 0);
    Put(static_cast<std::int16_t>(scale));
    while (count > 0) Put(digits[--count]);
    return *this;
}

CopyBuffer& CopyBuffer::Text(std::string_view value) {
    Put(static_cast<std::int32_t>(value.size()));
    bytes_.append(value);
    return *this;
}
CopyBuffer& CopyBuffer::Jsonb(std::string_view json) {
    Put(static_cast<std::int32_t>(json.size() + 1));
    bytes_.push_back(1);  // version of the binary format
    bytes_.append(json);
    return *this;
}

// array_recv: dimensions, has NULLs, element type; for each dimension length and lower bound; the
// elements as fields.
CopyBuffer& CopyBuffer::TextArray(const std::vector<std::string>& values) {
    const std::size_t start = bytes_.size();
    Put<std::int32_t>(0);
    Put<std::int32_t>(values.empty() ? 0 : 1);
    Put<std::int32_t>(0);
    Put(kTextOid);
    if (!values.empty()) {
        Put(static_cast<std::int32_t>(values.size()));
        Put<std::int32_t>(1);
        for (const auto& value : values) Text(value);
    }
    const auto length = static_cast<std::uint32_t>(bytes_.size() - start - 4);
    for (int i = 0; i < 4; ++i) bytes_[start + i] = static_cast<char>(length >> (8 * (3 - i)));
    return *this;
}

CopyBuffer& CopyBuffer::Uuid(std::uint64_t high, std::uint64_t low) {
    Put<std::int32_t>(16);
    Put(high);
    Put(low);
    return *this;
}
CopyBuffer& CopyBuffer::TimestampTz(Micros since_1970) { return Int64(since_1970 - kEpoch2000); }
CopyBuffer& CopyBuffer::Date(std::int32_t days_since_1970) {
    return Int32(days_since_1970 - kEpoch2000Days);
}

void CopyBuffer::Finish() { Put<std::int16_t>(-1); }

Result<CopyWriter> CopyWriter::Begin(Database& database, std::string_view table,
                                     std::string_view columns, bool freeze) {
    BIWA_TRY(database.BeginCopy(fmt::format("COPY {} ({}) FROM STDIN WITH (FORMAT binary{})", table,
                                            columns, freeze ? ", FREEZE" : "")));
    return CopyWriter(database, table);
}

Result<CopyBuffer*> CopyWriter::Row(int fields) {
    if (buffer_.bytes().size() >= kSendBytes) {
        BIWA_TRY(database_->PutCopy(buffer_.bytes()));
        buffer_.Clear();
    }
    buffer_.Row(fields);
    return &buffer_;
}

Result<std::int64_t> CopyWriter::Finish() {
    buffer_.Finish();
    BIWA_TRY(database_->PutCopy(buffer_.bytes()));
    auto rows = database_->EndCopy();
    if (!rows) return Within(fmt::format("table {}", table_), rows.error());
    return rows;
}

}  // namespace biwa::examples
