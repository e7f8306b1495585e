#pragma once

class TrackerDigiGeometryRecord {};
