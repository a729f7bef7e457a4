// PostgreSQL's types: what each becomes, and how its values are read in the binary form (the type's
// send function, src/backend/utils/adt) and in the text form (its output function).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/row_store.h"
#include "model/rows.h"
#include "model/type.h"

namespace biwa::postgres {

using Oid = std::uint32_t;

// What pg_type says of a type.
struct TypeInfo {
    Oid oid = 0;
    std::string name;
    char kind =
        'b';  // typtype: b base, c composite, d domain, e enum, p pseudo, r range, m multirange
    Oid base = 0;  // of a domain
    std::int32_t base_modifier = -1;
    Oid element = 0;  // of a true array
};

using TypeCatalog = std::map<Oid, TypeInfo>;

struct DecodeContext {
    Arena* arena = nullptr;  // takes the bytes of strings
    // Values that the warehouse's type cannot hold (a numeric NaN, a two-dimensional array): NULL.
    std::uint64_t unrepresentable = 0;
};

// Reads one value, not NULL, into a cell; false when the bytes are not of the type.
struct ColumnDecoder;
using DecodeFunction = bool (*)(const ColumnDecoder& decoder, std::string_view bytes, Cells& cells,
                                std::size_t row, DecodeContext& context);

struct ColumnDecoder {
    Type type;
    DecodeFunction binary = nullptr;
    DecodeFunction text = nullptr;
    // Where the binary form is not known: the value has to be asked for as text.
    bool text_only = false;
    std::shared_ptr<const ColumnDecoder> element;  // of a list
    std::string note;                              // why the type is not quite the source's
};

// The decoder of a column of type `oid` with type modifier `modifier` (pg_attribute.atttypmod).
// A type that is not known becomes text, with a note.
ColumnDecoder DecoderFor(Oid oid, std::int32_t modifier, const TypeCatalog& catalog);

}  // namespace biwa::postgres
