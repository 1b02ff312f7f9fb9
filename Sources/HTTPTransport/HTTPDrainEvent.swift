/// Fired through a connection's pipeline when its server drains.
struct HTTPDrainEvent: Sendable {}
