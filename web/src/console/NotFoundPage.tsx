import { Link, useLocation } from "wouter";

/** An address that leads nowhere. */
export function NotFoundPage() {
  const [location] = useLocation();
  return (
    <div className="panel empty">
      <h1>There is no page here</h1>
      <p className="soft">
        Nothing goes by <code>{location}</code>. The address may have lost a part on its way.
      </p>
      <Link href="/jobs" className="button">
        See all jobs
      </Link>
    </div>
  );
}
