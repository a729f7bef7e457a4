// Rows in PostgreSQL's binary COPY format, sent as they are made.
//
// The format (PostgreSQL documentation, "COPY", "Binary Format"): a header of 19 bytes; for every
// row a 16-bit count of fields, for every field a 32-bit length (-1: NULL) and its bytes in network
// order as the type's receive function reads them; a last count of -1.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "database/database.h"

namespace biwa::examples {

// The bytes of rows. The caller adds the fields of a row in the order and of the types that the
// COPY statement names.
class CopyBuffer {
  public:
    CopyBuffer();

    CopyBuffer& Row(int fields);
    CopyBuffer& Null();
    CopyBuffer& Bool(bool value);
    CopyBuffer& Int16(std::int16_t value);
    CopyBuffer& Int32(std::int32_t value);
    CopyBuffer& Int64(std::int64_t value);
    // The number scaled / 10^scale with `scale` digits behind the point.
    CopyBuffer& Numeric(std::int64_t scaled, int scale);
    // text and every enum
    CopyBuffer& Text(std::string_view value);
    CopyBuffer& Jsonb(std::string_view json);
    CopyBuffer& TextArray(const std::vector<std::string>& values);
    // 16 bytes
    CopyBuffer& Uuid(std::uint64_t high, std::uint64_t low);
    CopyBuffer& TimestampTz(Micros since_1970);
    CopyBuffer& Date(std::int32_t days_since_1970);

    void Finish();
    void Clear() { bytes_.clear(); }
    const std::string& bytes() const { return bytes_; }

  private:
    template <typename Integer>
    void Put(Integer value);

    std::string bytes_;
};

// COPY into one table; nothing else may use the connection until Finish.
class CopyWriter {
  public:
    // columns: "id, name"
    static Result<CopyWriter> Begin(Database& database, std::string_view table,
                                    std::string_view columns, bool freeze);

    // Starts a row; sends what has gathered before when it is much.
    Result<CopyBuffer*> Row(int fields);
    // The number of rows that the server took.
    Result<std::int64_t> Finish();

  private:
    CopyWriter(Database& database, std::string_view table) : database_(&database), table_(table) {}

    Database* database_;
    std::string table_;
    CopyBuffer buffer_;
};

}  // namespace biwa::examples
