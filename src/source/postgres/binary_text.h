// The text of a value that came in its binary form: byte for byte what the type's output function
// would have written under the settings of Connection::Open. So a column that the warehouse keeps
// as text is the same whether it was copied, or followed in binary, or followed as text.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "source/postgres/types.h"

namespace biwa::postgres {

// Writes values of one type. Types made of others (arrays, ranges, composites) hold their writers.
struct TextWriter {
    // Appends the text of `bytes`; false when they are not of the type, and then the text may hold
    // anything.
    using Function = bool (*)(const TextWriter& writer, std::string_view bytes, std::string& text);

    Function write = nullptr;
    std::shared_ptr<const TextWriter> element = {};  // of an array, a range, a multirange
    char delimiter = ',';                            // between an array's elements
    std::map<Oid, std::shared_ptr<const TextWriter>> fields = {};  // of a composite, by their type

    bool Append(std::string_view bytes, std::string& text) const {
        return write(*this, bytes, text);
    }
    // Whether a composite is in it: one may get a column of a type that is not among `fields`.
    bool HasComposite() const { return !fields.empty() || (element && element->HasComposite()); }
};

// Nothing where the binary form of the type, or of one that it is made of, is not known.
std::shared_ptr<const TextWriter> TextWriterFor(Oid oid, const TypeCatalog& catalog);

// What TextWriterFor puts together: binary_text_numbers.cc, _scalar.cc, _nested.cc.
#define BIWA_WRITE_FUNCTION(name) \
    bool name(const TextWriter& writer, std::string_view bytes, std::string& text)

BIWA_WRITE_FUNCTION(WriteBool);
BIWA_WRITE_FUNCTION(WriteBytea);
BIWA_WRITE_FUNCTION(WriteChar);
BIWA_WRITE_FUNCTION(WriteInt2);
BIWA_WRITE_FUNCTION(WriteInt4);
BIWA_WRITE_FUNCTION(WriteInt8);
BIWA_WRITE_FUNCTION(WriteUnsigned4);
BIWA_WRITE_FUNCTION(WriteUnsigned8);
BIWA_WRITE_FUNCTION(WriteFloat4);
BIWA_WRITE_FUNCTION(WriteFloat8);
BIWA_WRITE_FUNCTION(WriteNumeric);
BIWA_WRITE_FUNCTION(WriteMoney);
BIWA_WRITE_FUNCTION(WriteText);
BIWA_WRITE_FUNCTION(WriteVersionedText);
BIWA_WRITE_FUNCTION(WriteDate);
BIWA_WRITE_FUNCTION(WriteTime);
BIWA_WRITE_FUNCTION(WriteTimeTz);
BIWA_WRITE_FUNCTION(WriteTimestamp);
BIWA_WRITE_FUNCTION(WriteTimestampTz);
BIWA_WRITE_FUNCTION(WriteInterval);
BIWA_WRITE_FUNCTION(WriteUuid);
BIWA_WRITE_FUNCTION(WriteInet);
BIWA_WRITE_FUNCTION(WriteMacaddr);
BIWA_WRITE_FUNCTION(WriteBits);
BIWA_WRITE_FUNCTION(WriteLsn);
BIWA_WRITE_FUNCTION(WriteTid);
BIWA_WRITE_FUNCTION(WriteSnapshot);
BIWA_WRITE_FUNCTION(WritePoint);
BIWA_WRITE_FUNCTION(WriteBox);
BIWA_WRITE_FUNCTION(WriteSegment);
BIWA_WRITE_FUNCTION(WriteLine);
BIWA_WRITE_FUNCTION(WritePath);
BIWA_WRITE_FUNCTION(WritePolygon);
BIWA_WRITE_FUNCTION(WriteCircle);
BIWA_WRITE_FUNCTION(WriteTsVector);
BIWA_WRITE_FUNCTION(WriteTsQuery);
BIWA_WRITE_FUNCTION(WriteHstore);
BIWA_WRITE_FUNCTION(WriteArray);
BIWA_WRITE_FUNCTION(WriteVector);
BIWA_WRITE_FUNCTION(WriteRange);
BIWA_WRITE_FUNCTION(WriteMultirange);
BIWA_WRITE_FUNCTION(WriteComposite);

// As numeric_out; of binary_values.cc, which knows the digits.
bool AppendNumeric(std::string_view bytes, std::string& text);

}  // namespace biwa::postgres
