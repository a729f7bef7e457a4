// PostgreSQL's types: what each becomes, and how its values are read in the binary form (the type's
// send function, src/backend/utils/adt) and in the text form (its output function).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/row_store.h"
#include "model/rows.h"
#include "model/type.h"

namespace biwa::postgres {

using Oid = std::uint32_t;

inline constexpr Oid kMoneyOid = 790;

// What pg_type says of a type.
struct TypeInfo {
    Oid oid = 0;
    std::string name;
    // typtype: b base, c composite, d domain, e enum, r range, m multirange
    char kind = 'b';
    Oid base = 0;  // of a domain
    std::int32_t base_modifier = -1;
    Oid element = 0;     // of a true array, of a range, of a multirange (the range)
    int dimensions = 0;  // of a domain over an array, as declared
    char delimiter = ',';
    // The functions that write its binary form and its text, as "library.symbol" ("textsend"
    // without a library is the server's own); the first is empty where there is no binary form.
    std::string send = "?";
    std::string output = "?";
    std::vector<Oid> fields = {};  // of a composite, the types
    int money_digits = 2;          // of money: decimals, by the database's lc_monetary
};

using TypeCatalog = std::map<Oid, TypeInfo>;

struct DecodeContext {
    Arena* arena = nullptr;  // takes the bytes of strings
    // Values that the warehouse's type cannot hold (a numeric NaN, an array of other dimensions
    // than the column's): NULL.
    std::uint64_t unrepresentable = 0;
    const SharedBytes* message = nullptr;  // that the values are in, where it is large
    std::string_view kept = {};  // bytes that stay as long as the arena's: strings point at them
};

// Reads one value, not NULL, into a cell; false when the bytes are not of the type.
struct ColumnDecoder;
struct TextWriter;
using DecodeFunction = bool (*)(const ColumnDecoder& decoder, std::string_view bytes, Cells& cells,
                                std::size_t row, DecodeContext& context);

struct ColumnDecoder {
    Type type;
    DecodeFunction binary = nullptr;
    DecodeFunction text = nullptr;
    // Where the binary form is not known: the value has to be asked for as text.
    bool text_only = false;
    // And a stream can only ask so for all columns of all tables at once. (Of a type that has no
    // binary form the server sends the text by itself.)
    bool forces_text = false;
    std::shared_ptr<const ColumnDecoder> element = {};  // of a list, at the bottom of the lists
    int dimensions = 0;                                 // of a list: how many lists lie in another
    char delimiter = ',';                               // of a list's text
    std::shared_ptr<const TextWriter> writer = {};      // of a type that is kept as text
    std::string note = {};                              // why the type is not quite the source's
};

// The decoder of a column of type `oid` with type modifier `modifier` (pg_attribute.atttypmod) and
// so many declared dimensions (attndims; 0 is taken as 1). A type that is not known becomes text,
// with a note.
ColumnDecoder DecoderFor(Oid oid, std::int32_t modifier, const TypeCatalog& catalog,
                         int dimensions = 0);
// How many lists lie in each other; 0 of what is no list.
int DimensionsOf(const Type& type);

}  // namespace biwa::postgres
