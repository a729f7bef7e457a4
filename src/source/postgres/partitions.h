// Partitioned tables are one table each: the root, as applications see it. Its changes come under
// its name (publish_via_partition_root, PostgreSQL 13), its rows are copied leaf by leaf, since
// only leaves have pages.
//
// What is done to whole partitions is not in the log as changes of rows:
//   attached with rows  FilledParts finds it, and the table is copied anew: those rows are nowhere
//                       here; so where rows came before it was looked at and nothing tells since
//                       when
//   attached empty, made as a partition  what is written to it from then on comes as any change
//   detached, dropped, truncated by its own name  its rows stay in the warehouse, until one of the
//                       same key is inserted (TableSchema::rows_vanish)
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "source/postgres/catalog.h"
#include "source/postgres/connection.h"

namespace biwa::postgres {

// From this version on a root can be published; before, each leaf is a table of its own.
inline constexpr int kPublishRootVersion = 130'000;

struct Leaf {
    std::string oid;
    std::string name;  // qualified and quoted, for SQL
    std::int64_t pages = 0;
    bool readable = false;  // by this role, by its own name
    std::string file;       // where its pages lie; another when it was rewritten
};

// The leaves of a root (qualified and quoted name) as this connection's transaction sees them, in
// the order of their OIDs; none of what is no partitioned table.
Result<std::vector<Leaf>> LeavesOf(const Connection& connection, const std::string& root);

// The name of the leaf with this OID, if it still is one of the root; else empty.
Result<std::string> NameOfLeaf(const Connection& connection, const std::string& root,
                               const std::string& oid);

// Tables that had rows when they were made partitions of roots that were published already.
class FilledParts {
  public:
    explicit FilledParts(std::vector<std::string> publications)
        : publications_(std::move(publications)) {}

    // Notes them with their roots.
    Status Note(const Connection& connection, std::vector<CatalogTable>& tables);

  private:
    const std::vector<std::string> publications_;
    std::map<std::string, bool> known_;  // by attachment: looked at once
};

}  // namespace biwa::postgres
