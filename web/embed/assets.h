// The files of the web page, inside the program.
#pragma once

#include <span>
#include <string_view>

namespace biwa {

struct WebAsset {
    std::string_view path;          // As a request names it: "/index.html", "/assets/….js".
    std::string_view content_type;  // With its charset where it is text.
    std::string_view content;
    std::string_view gzip;  // The content compressed; empty where that saves nothing.
    std::string_view etag;  // A strong entity tag of the content, with its quotes.
    bool immutable;         // The path has a hash of the content in it: it may be cached for good.
};

// All files, sorted by path; none in a build with BIWA_WEB=OFF. They live as long as the program
// and may be read from any thread. A path that is no file and not below /api is a page of the web
// application, which /index.html shows.
std::span<const WebAsset> WebAssets();

}  // namespace biwa
