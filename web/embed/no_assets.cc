// A build with BIWA_WEB=OFF: the server is all there, without its page.
#include "web/embed/assets.h"

namespace biwa {

std::span<const WebAsset> WebAssets() { return {}; }

}  // namespace biwa
