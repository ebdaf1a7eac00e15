"""How people and machines watch a party or a coordinator: logs, a port for metrics, event files. It knows no data."""
