// synth4d._packing: pictures as bytes; use synth4d.codec.
#include "deflate.h"
#include "yuv.h"

using namespace packing;

namespace {

nb::bytes deflate(const nb::bytes &data) {
  require(data.size() % 2 == 0, "deflate packs pixels of two bytes");
  const auto out = Deflater::pack(static_cast<const uint8_t *>(data.data()), data.size());
  return nb::bytes(out.data(), out.size());
}

}  // namespace

NB_MODULE(_packing, m) {
  m.doc() = "Pictures as bytes, the same on every processor.";
  m.def("deflate", &deflate, nb::arg("data"), "The raw deflate stream of uint16 pixels.");
  m.def("yuv420", &yuv420, nb::arg("rgb"), nb::arg("out"), Release(), "Planes Y, U, V of a picture, in place.");
}
