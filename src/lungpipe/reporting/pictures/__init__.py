"""Pictures of the report page: findings in three planes, and the slices that decided each patient."""
