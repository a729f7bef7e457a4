// Rows of a table, read by a COPY.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "model/rows.h"
#include "source/postgres/catalog.h"
#include "source/postgres/connection.h"
#include "source/source.h"

namespace biwa::postgres {

// "schema"."table"
std::string QualifiedName(const SourceTable& table);
// A column as a COPY asks for it. A cast to text may be a function of its own (an inet's always
// says the mask); what the stream sends is the text of the type's output function.
std::string Selected(const std::string& column, bool as_text);

// Reads a COPY that was begun on the connection, of the columns of `table`. The connection is given
// back when it was read to the end; else it goes, which ends the COPY at the server too.
// `unrepresentable` is added to, and outlives the reader; may be null.
std::unique_ptr<RowReader> ReadCopy(Connection connection, CatalogTable table,
                                    std::atomic<std::uint64_t>* unrepresentable,
                                    std::function<void(Connection)> give_back);

}  // namespace biwa::postgres
