// Publishing a part of a table: some of its columns, or the rows that a condition is true of.
//
// PostgreSQL makes an update that moves a row into the condition an insert, and one that moves it
// out a delete. For that it needs the condition's columns in the old row: with any other than those
// of the replica identity, the application's own updates and deletes fail once it is published. So
// do they with a list of columns that lacks one of the replica identity.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "source/postgres/connection.h"
#include "source/source.h"

namespace biwa::postgres {

// The first version with conditions and lists of columns.
inline constexpr int kPublishPartVersion = 150'000;

// " (id, name) WHERE (…)", behind a table's name in CREATE PUBLICATION; empty for all of it.
std::string PublishedPart(const TablePart& part);
// SQL: whether pg_publication_rel AS r is a part. (Those came with PostgreSQL 15.)
inline constexpr const char* kIsPartSql =
    "(coalesce(pg_catalog.to_jsonb(r) ->> 'prqual', pg_catalog.to_jsonb(r) ->> 'prattrs') "
    "IS NOT NULL)";
// " AND (…)", behind a condition; empty when there is none.
std::string AndWhere(const TablePart& part);

// Finds out what would hinder the publication of parts. Used by one thread.
class PartExaminer {
  public:
    // Of streams with these publications.
    explicit PartExaminer(std::vector<std::string> publications)
        : publications_(std::move(publications)) {}

    // Refuses the table (SourceTable::refusal) where publishing its part would fail, or would make
    // the application fail. The server judges the condition, in a transaction that is rolled back;
    // it is asked once for each condition. What is published already stays so when the right to
    // publish it is taken away.
    Status Examine(const Connection& connection, SourceTable& table);

  private:
    struct Condition {
        std::vector<std::string> columns;  // that it uses
        std::string error;                 // why the server does not take it
        bool lacks_right = false;          // that is no fault of the condition, and may end
    };
    Result<Condition> Try(const Connection& connection, const SourceTable& table) const;
    // What the condition uses by which the table is published; nothing where it is not.
    Result<std::optional<Condition>> Published(const Connection& connection,
                                               const SourceTable& table) const;

    const std::vector<std::string> publications_;
    std::map<std::string, Condition> known_;
};

}  // namespace biwa::postgres
